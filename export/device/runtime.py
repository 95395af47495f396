"""The reference runtime of a `.tflite` file: text in, words out, with NumPy and ai-edge-litert.

    python -m export.device FILE.tflite "i would like"          next words
    python -m export.device FILE.tflite --score "i like it"     log-probability of a sentence
    python -m export.device FILE.tflite "the ___ is small"      a bidirectional model: words for ___
    python -m export.device FILE.tflite "Wo ist der Bahnhof?"   a translation model
    python -m export.device FILE.tflite "where is the station"  a tagger, restorer or classifier

No TensorFlow and nothing of `zoo`: what an application does in Kotlin or Swift is the files
`runtime.py`, `file.py`, `models.py`, `labels.py` and `text.py` over again (docs/device.md).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

from export.device.file import DeviceError, LiteFile
from export.device.labels import Classify, Restore, Tag
from export.device.models import FillBlank, NextWords, Translate

DeviceModel: TypeAlias = NextWords | FillBlank | Translate | Tag | Restore | Classify
KINDS: dict[str, type[DeviceModel]] = {
    "language_model": NextWords,
    "bidirectional": FillBlank,
    "translation": Translate,
    "tagger": Tag,
    "restorer": Restore,
    "classifier": Classify,
}


def open_model(path: str | os.PathLike[str], threads: int = 1) -> DeviceModel:
    """The runtime for whatever kind of model a file holds."""
    file = LiteFile(path, threads)
    if file.about["kind"] not in KINDS:
        raise DeviceError(f"{file.path} holds a {file.about['kind']!r}, which this cannot run")
    return KINDS[file.about["kind"]](file)


def answers(model: DeviceModel, text: str, options: argparse.Namespace) -> dict[str, Any]:
    """What the command prints of one text."""
    if options.score:
        if not isinstance(model, NextWords):
            raise DeviceError("--score is for language models")
        return {"text": text, **model.score(text)}
    if isinstance(model, Translate):
        signature = "translate" if options.greedy else "translate_beam"
        translation, score = model.translate(text, signature)
        return {"text": text, "translation": translation, "score": score}
    if isinstance(model, Restore):
        return {"text": text, "restored": model.restore(text)}
    if isinstance(model, Tag):
        tagged = [{"word": w, "label": x, "probability": p} for w, x, p in model.tag(text)]
        return {"text": text, "words": tagged}
    if isinstance(model, Classify):
        labels = [{"label": x, "probability": p} for x, p in model.classify(text)]
        return {"text": text, "labels": labels}
    pairs = model.next_words(text, options.k)
    return {"text": text, "words": [{"word": w, "probability": p} for w, p in pairs]}


def line(entry: dict[str, Any]) -> str:
    """A word, a label, or both, with a probability."""
    names = "  ".join(entry[key] for key in ("label", "word") if key in entry)
    return f"{entry['probability']:.4f}  {names}"


def readable(answer: dict[str, Any]) -> str:
    """One answer as lines for a reader."""
    for entries in (answer.get("words"), answer.get("labels")):
        if entries is not None:
            return "\n".join(map(line, entries))
    if "restored" in answer:
        return str(answer["restored"])
    if "translation" in answer:
        return str(answer["translation"])
    return "  ".join(f"{name} {value}" for name, value in answer.items() if name != "text")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export.device", description="ask an exported .tflite file"
    )
    parser.add_argument("file", help="written by `zoo export NAME --format tflite`")
    parser.add_argument("text", nargs="+")
    parser.add_argument("-k", type=int, default=3, help="words to offer, at most 10")
    parser.add_argument("--score", action="store_true", help="score sentences instead")
    parser.add_argument("--greedy", action="store_true", help="translate without beam search")
    parser.add_argument("--json", action="store_true", help="one JSON object a text")
    options = parser.parse_args(arguments)
    try:
        model = open_model(options.file)
        for text in options.text:
            answer = answers(model, text, options)
            print(json.dumps(answer, ensure_ascii=False) if options.json else readable(answer))
    except DeviceError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
