"""One `zoo.load` reads each file of a preset once, whichever kind of model it holds.

Once more, if it has a SHA-256, to be held against that.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import zoo
from tests.helpers.models import CLOZE_MODELS, LABEL_MODELS, LANGUAGE_MODELS, WRAPPED_MODELS
from tests.helpers.seq2seq import translator
from zoo.models import InterpolatedLanguageModel, NGramLanguageModel

TEXT = ["the cat is small", "the dog is big"]


def counted() -> NGramLanguageModel:
    return NGramLanguageModel.train(TEXT, order=2)


def mixed() -> InterpolatedLanguageModel:
    one = counted()
    return InterpolatedLanguageModel(
        [one, NGramLanguageModel.train(TEXT, 1, tokenizer=one.tokenizer)]
    )


KINDS: dict[str, Any] = {
    "counts": counted,
    "mixture": mixed,
    "recurrent": LANGUAGE_MODELS["gru"],
    "nplm": LANGUAGE_MODELS["nplm"],
    "cached": WRAPPED_MODELS["cached"],
    "pointer": WRAPPED_MODELS["pointer"],
    "cloze": CLOZE_MODELS["bidirectional"],
    "labels": LABEL_MODELS["tagger"],
    "translation": lambda: translator(cell="rnn"),
}


class Opened:
    """Counts the text files of a folder that Python opens."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder
        self.files: Counter[str] = Counter()
        sys.addaudithook(self.count)  # stays for good; without a folder it counts nothing

    def count(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or self.folder is None or not isinstance(arguments[0], str):
            return
        path = Path(arguments[0])
        if path.is_relative_to(self.folder) and path.suffix in (".json", ".txt", ".npy"):
            self.files[str(path.relative_to(self.folder))] += 1


@pytest.mark.parametrize("kind", KINDS)
def test_each_file_is_read_once(kind, tmp_path):
    opened = Opened(KINDS[kind]().save_to_preset(tmp_path / "preset"))
    opened.files.clear()
    zoo.load(tmp_path / "preset")
    opened.folder = None
    assert "config.json" in opened.files
    configs = {name for name in opened.files if name.endswith("config.json")}
    assert opened.files["config.json"] == 1
    assert {opened.files[name] for name in opened.files.keys() - configs} == {2}, opened.files
    assert all(opened.files[name] == 2 for name in configs - {"config.json"}), opened.files
