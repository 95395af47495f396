"""Files that others made: `LiteFile` refuses them in one line, in little memory and time."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export.device.file import DeviceError, LiteFile
from export.tflite.package import packed
from tests.helpers.models import tokenizer

MODEL = b"\x1c\0\0\0TFL3" + bytes(range(200))  # a head and no model behind it
ABOUT = {"kind": "language_model", "signatures": ["step"], "length": 20}
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def whole() -> bytes:
    return packed(MODEL, ABOUT, {"": tokenizer()})


def with_file(whole: bytes, name: str, content: str) -> bytes:
    """The same file with other content under one of its names."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        files = {each: archive.read(each).decode() for each in archive.namelist()}
    result = io.BytesIO(MODEL)
    with zipfile.ZipFile(result, "a", zipfile.ZIP_DEFLATED) as archive:
        for each, text in {**files, name: content}.items():
            archive.writestr(each, text)
    return result.getvalue()


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(DeviceError) as error:
        LiteFile(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_model_that_is_none_is_refused_last(whole: bytes, tmp_path: Path) -> None:
    assert "cannot be loaded" in refused(tmp_path / "m.tflite", whole)


def test_flipped_bits_and_cuts_are_refused(whole: bytes, tmp_path: Path) -> None:
    chance = random.Random(4)
    for place in chance.sample(range(len(whole)), 60):
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        refused(tmp_path / "m.tflite", bytes(changed))
        refused(tmp_path / "m.tflite", whole[:place])


@pytest.mark.parametrize("name", ["model.json", "characters.json", "tokenizer.json"])
@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "null", "[" * 9_999, '{"format": ' + "9" * 5_000 + "}", "\ud7ff"]
)
def test_other_json_is_refused(name: str, content: str, whole: bytes, tmp_path: Path) -> None:
    refused(tmp_path / "m.tflite", with_file(whole, name, content))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("model.json", lambda c: {**c, "length": [1]}, "damaged tokenizer files"),
        ("model.json", lambda c: {**c, "signatures": 3}, "cut off or was not written"),
        ("model.json", lambda c: {**c, "bytes": -1}, "is damaged"),
        (
            "characters.json",
            lambda c: {**c, "folds": [[0, 10**15, 1, 0]]},
            "folds outside Unicode",
        ),
        ("characters.json", lambda c: {**c, "folds": [[0, 99, 0, 0]]}, "must not be zero"),
        (
            "characters.json",
            lambda c: {**c, "folds": [[0, 10**6, 1, 0]] * 10**4},
            "more folds than code points",
        ),
        ("characters.json", lambda c: {**c, "classes": [1]}, "damaged tokenizer files"),
        ("tokenizer.json", lambda c: {**c, "detokenize": [["(", ""]]}, "damaged tokenizer"),
        ("tokenizer.json", lambda c: {**c, "config": None}, "damaged tokenizer"),
    ],
)
def test_hostile_values_are_refused(
    name: str, change: Change, message: str, whole: bytes, tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        content = json.loads(archive.read(name))
    changed = with_file(whole, name, json.dumps(change(content)))
    assert message in refused(tmp_path / "m.tflite", changed)


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(whole: bytes, tmp_path: Path) -> None:
    bomb = with_file(whole, "vocabulary.txt", "a" * (2**26 + 1))
    assert len(bomb) < 2**18
    assert "unpacks to more than" in refused(tmp_path / "m.tflite", bomb)
