"""What travels in a `.tflite` file behind the model: vocabulary, tokenizer rules, a description.

The files are a zip archive after the model's bytes, which TensorFlow Lite calls associated files:
any zip tool reads them and any interpreter loads the model in front of them. `docs/device.md`
says how to use them in another language.

    model.json        kind of model, signatures, length of its buffers, size and SHA-256
    characters.json   which characters make words, and what each is read as
    tokenizer.json    how the words are cut and put together again     (source/, target/ for a
    vocabulary.txt    one word a line, the first line is id 0           translation model)
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.text import codepoints
from zoo.text.tokenizer import TOKENIZER_FILE, Tokenizer
from zoo.text.vocabulary import VOCABULARY_FILE

MODEL_FILE = "model.json"
CHARACTERS_FILE = "characters.json"
FORMAT = 1
CLASSES = {
    "word": codepoints.WORD,
    "digit": codepoints.DIGIT,
    "space": codepoints.SPACE,
    "control": codepoints.CONTROL,
    "apostrophe": codepoints.APOSTROPHE,
    "point": codepoints.POINT,
    "ignored": codepoints.IGNORED,
}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is exported


def packed(
    content: bytes, description: Mapping[str, Any], tokenizers: Mapping[str, Tokenizer]
) -> bytes:
    """A model's bytes followed by the archive.

    Args:
        content: the flatbuffer.
        description: goes into model.json, beside format, size and hash.
        tokenizers: by folder in the archive; "" for a model with one.
    """
    about = {
        "format": FORMAT,
        **description,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    files = {MODEL_FILE: json.dumps(about, indent=1)}
    lowercase = [tokenizer.lowercase for tokenizer in tokenizers.values()]
    files[CHARACTERS_FILE] = as_json({"classes": class_runs(), "folds": fold_runs(any(lowercase))})
    for folder, tokenizer in tokenizers.items():
        prefix = f"{folder}/" if folder else ""
        files[prefix + TOKENIZER_FILE] = as_json(tokenizer_rules(tokenizer))
        files[prefix + VOCABULARY_FILE] = "".join(f"{w}\n" for w in tokenizer.vocabulary)
    archive = io.BytesIO(content)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, text.encode("utf-8"))
    return archive.getvalue()


def tokenizer_rules(tokenizer: Tokenizer) -> dict[str, Any]:
    """A preset's tokenizer.json with the rules for putting tokens together added."""
    return {
        "class": type(tokenizer).__name__,
        "config": tokenizer.get_config(),
        "detokenize": [list(rule) for rule in tokenizer.rules],
    }


def class_runs() -> dict[str, list[int]]:
    """The runs of code points of each class; what is in no run is a symbol.

    A run is two numbers: how far its first code point is from the last one of the run before it
    (from 0 for the first run), and how far its last is from its first. Written as code points
    themselves the runs would take 3 kB more of a keyboard's file.
    """
    table = codepoints.classes()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(table)) + 1])
    ends = np.concatenate([starts[1:], [len(table)]]) - 1
    runs: dict[str, list[int]] = {name: [] for name in CLASSES}
    last = dict.fromkeys(CLASSES, 0)
    names = {number: name for name, number in CLASSES.items()}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        name = names.get(int(table[start]))
        if name is not None:
            runs[name] += [start - last[name], end - start]
            last[name] = end
    return runs


def fold_runs(lowercase: bool) -> list[list[int]]:
    """[first, last, every, added] for code points that are read as others."""
    table = codepoints.folds(lowercase)
    runs: list[list[int]] = []
    for point in np.flatnonzero(table != np.arange(len(table))).tolist():
        added = int(table[point]) - point
        last = runs[-1] if runs else [0, 0, 0, 0]
        gap = point - last[1]
        alone = last[0] == last[1] and gap <= 2
        if runs and last[3] == added and (gap == last[2] or alone):
            last[1:3] = [point, gap]
        else:
            runs.append([point, point, 1, added])
    return runs


def as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
