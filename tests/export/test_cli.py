"""`zoo export --data`: the check's words and the representative set come from a corpus."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from export.cli import SAMPLED, sampled_texts
from tests.helpers.corpus import english
from tests.helpers.models import language_model
from zoo.cli.main import main
from zoo.errors import ZooError

pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's own deprecations


def test_full_int8_is_measured_on_the_corpus(tmp_path, capsys):
    (tmp_path / "text.txt").write_text("\n".join(english(30)) + "\n", encoding="utf-8")
    language_model("cifg_projected").save_to_preset(tmp_path / "lm")
    arguments = ["--format", "tflite", "--quantize", "int8", "--out", str(tmp_path), "--json"]
    arguments += ["--data", str(tmp_path / "text.txt")]
    assert main(["export", str(tmp_path / "lm"), *arguments]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["signatures"] == ["prefill", "score", "step"]
    words = sum(map(len, map(language_model("cifg_projected").tokenizer.encode, english(30))))
    assert f"({words:,} words)" in captured.err
    for figure in ("largest difference", "perplexity", "recall@3"):
        assert figure in captured.err


def test_what_is_sampled_is_sampled_again():
    corpus = SimpleNamespace(train=[f"t{i}" for i in range(3_000)], test=["a", "b"])
    model = object()
    first = sampled_texts(corpus, "train", model)
    assert first == sampled_texts(corpus, "train", model)
    assert len(set(first)) == SAMPLED
    assert sorted(sampled_texts(corpus, "test", model)) == ["a", "b"]
    assert sampled_texts(None, "test", model) is None


@pytest.mark.parametrize(
    ("texts", "message"), [([], "'test' of the data is empty"), ([object()], "sentence pairs")]
)
def test_data_of_the_wrong_kind(texts, message):
    with pytest.raises(ZooError, match=message):
        sampled_texts(SimpleNamespace(test=texts), "test", language_model("cifg_projected"))
