"""The reference runtime of a `.tflite` file: text in, words out, with NumPy and ai-edge-litert.

    python -m export.device FILE.tflite "i would like"          next words
    python -m export.device FILE.tflite --score "i like it"     log-probability of a sentence
    python -m export.device FILE.tflite "the ___ is small"      a bidirectional model: words for ___
    python -m export.device FILE.tflite "Wo ist der Bahnhof?"   a translation model

No TensorFlow and nothing of `zoo`: what an application does in Kotlin or Swift is this file and
`device_text.py` over again (docs/on-device.md).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import sys
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from export.device_text import BOS, EOS, PAD, UNK, Characters, Tokenizer

FORMAT = 1
BLANK = re.compile("_{3,}")
LETTER = re.compile(r"\w")


class DeviceError(ValueError):
    """A file that cannot be used, or an input it has no answer to; the message is one line."""


class LiteFile:
    """A checked file: its description, its tokenizers and an interpreter.

    Args:
        path: a file that `zoo export --format tflite` wrote.
        threads: of the interpreter.

    Raises:
        DeviceError: the file is missing, cut off, damaged, or of another origin.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 1) -> None:
        self.path = os.fspath(path)
        self.about, files = read_files(self.path)
        self.length = int(self.about["length"])
        try:
            characters = Characters(json.loads(files["characters.json"]))
            self.tokenizers = {
                name.rpartition("/")[0]: Tokenizer(
                    json.loads(content), words_of(files, name), characters
                )
                for name, content in files.items()
                if name.endswith("tokenizer.json")
            }
        except (KeyError, ValueError, TypeError) as error:
            raise DeviceError(f"{self.path} has damaged tokenizer files ({error})") from None
        self.interpreter = make_interpreter(self.path, threads)

    def run(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """One signature's answer."""
        if signature not in self.about["signatures"]:
            raise DeviceError(f"{self.path}, a {self.about['kind']}, has no {signature!r}")
        return dict(self.interpreter.get_signature_runner(signature)(**inputs))

    def padded(self, ids: Sequence[int]) -> np.ndarray:
        """Ids in the buffer that a signature reads; [1, length]."""
        if len(ids) > self.length:
            raise DeviceError(f"{len(ids)} tokens are too many for {self.path}: {self.length}")
        buffer = np.full((1, self.length), PAD, np.int32)
        buffer[0, : len(ids)] = ids
        return buffer


def read_files(path: str) -> tuple[dict[str, Any], dict[str, str]]:
    """model.json and all associated files of a file, after checking the model's bytes."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        if content[4:8] != b"TFL3":
            raise DeviceError(f"{path} is not a TensorFlow Lite model")
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
        about = json.loads(files["model.json"])
        if about["format"] != FORMAT:
            raise DeviceError(f"{path} has format {about['format']}, this reads {FORMAT}")
        whole = hashlib.sha256(content[: about["bytes"]]).hexdigest() == about["sha256"]
    except OSError as error:
        raise DeviceError(f"cannot read {path}: {error.strerror}") from None
    except DeviceError:
        raise
    except Exception:  # zipfile and json raise many kinds for bytes that are not theirs
        raise DeviceError(
            f"{path} is cut off or was not written by `zoo export --format tflite`"
        ) from None
    if not whole:
        raise DeviceError(f"{path} is damaged: its model is not the one that was exported")
    return about, files


def words_of(files: dict[str, str], rules: str) -> list[str]:
    """The vocabulary beside a tokenizer.json."""
    return files[rules.replace("tokenizer.json", "vocabulary.txt")].removesuffix("\n").split("\n")


def make_interpreter(path: str, threads: int) -> Any:
    """An interpreter of ai-edge-litert."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise DeviceError("ai-edge-litert is missing: pip install ai-edge-litert") from None
    try:
        return Interpreter(model_path=path, num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise DeviceError(f"{path} cannot be loaded: {error}".splitlines()[0]) from None


class NextWords:
    """A language model's file.

    Args:
        file: an opened file of kind "language_model".
    """

    def __init__(self, file: LiteFile) -> None:
        self.file = file
        self.tokenizer = file.tokenizers[""]

    def next_words(self, text: str, k: int = 3) -> list[tuple[str, float]]:
        """The likeliest words after a text, at most ten, with their probabilities."""
        ids = [BOS, *self.tokenizer.encode(text)]
        answer = self.answer(ids)
        found = zip(answer["ids"][0], answer["log_probs"][0], strict=True)
        return [(self.tokenizer.vocabulary[i], math.exp(value)) for i, value in found][:k]

    def answer(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """What follows a context of any length: its start at once, the rest word by word."""
        first, rest = ids[: self.file.length], ids[self.file.length :]
        length = np.array([len(first)], np.int32)
        answer = self.file.run("prefill", ids=self.file.padded(first), length=length)
        for token in rest:
            answer = self.step(token, answer)
        return answer

    def step(self, token: int, answer: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One word more after an earlier answer: what a keyboard calls for each word."""
        state = {name: value for name, value in answer.items() if name.startswith("state_")}
        return self.file.run("step", token_id=np.array([token], np.int32), **state)

    def score(self, text: str) -> dict[str, Any]:
        """Log-probability of a sentence, with `<eos>`."""
        ids = self.tokenizer.encode(text)
        row = [BOS, *ids, EOS]
        length = np.array([len(row)], np.int32)
        value = float(
            self.file.run("score", ids=self.file.padded(row), length=length)["log_prob"][0]
        )
        return {"log_prob": value, "tokens": len(ids) + 1, "oov": ids.count(UNK)}


def open_model(path: str | os.PathLike[str], threads: int = 1) -> Any:
    """The runtime for whatever kind of model a file holds."""
    file = LiteFile(path, threads)
    makers = {"language_model": NextWords}
    if file.about["kind"] not in makers:
        raise DeviceError(f"{file.path} holds a {file.about['kind']!r}, which this cannot run")
    return makers[file.about["kind"]](file)


def answers(model: Any, text: str, options: argparse.Namespace) -> dict[str, Any]:
    """What the command prints of one text."""
    if options.score:
        if not isinstance(model, NextWords):
            raise DeviceError("--score is for language models")
        return {"text": text, **model.score(text)}
    pairs = model.next_words(text, options.k)
    return {"text": text, "words": [{"word": w, "probability": p} for w, p in pairs]}


def readable(answer: dict[str, Any]) -> str:
    """One answer as lines for a reader."""
    if "words" in answer:
        return "\n".join(
            f"{entry['probability']:.4f}  {entry['word']}" for entry in answer["words"]
        )
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


if __name__ == "__main__":
    sys.exit(main())
