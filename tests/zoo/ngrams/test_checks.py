"""Damaged and hostile tables: one line that names the file, or a model that gives probabilities."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.ngrams import lines_of
from tests.helpers.presets import without_sums
from zoo.errors import ZooError
from zoo.models.ngram import NGramLanguageModel

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "preset"
    model = NGramLanguageModel.train(lines_of("corpus.txt"), 3, tokenizer="whitespace")
    return model.save_to_preset(folder, dtype="float16")


@pytest.fixture
def preset(saved: Path, tmp_path: Path) -> Path:
    for path in saved.rglob("*.*"):
        copy = tmp_path / "preset" / path.relative_to(saved)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return without_sums(tmp_path / "preset")


def put(place: int, value: float) -> Change:
    def change(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[place] = value
        return values

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("1.log_prob", put(7, np.nan), "holds nan: values are at most 0.001"),
        ("2.log_prob", put(7, -np.nan), "holds NaN|holds nan"),
        ("3.log_prob", put(7, np.inf), "holds inf: values are at most"),
        ("2.log_prob", put(7, 3.277), "holds 3.27"),
        ("2.backoff", put(7, 3.277), "holds 3.27"),
        ("1.backoff", put(7, np.inf), "holds inf"),
        ("2.backoff", put(-1, -1.0), "give values to what was never seen"),
        ("2.words", put(3, 60_000), "holds ids outside 0 ... "),
        ("3.words", lambda words: words[::-1], "rise among the followers|holds ids|do not fit"),
        ("1.words", put(5, 4), "are not the vocabulary's ids"),
        ("3.words", lambda words: words.astype(np.float32), "have the wrong types"),
        ("2.log_prob", lambda values: values.astype(">f4"), "have the wrong types"),
        ("2.log_prob", lambda values: values[:-1], "do not fit together"),
        ("3.log_prob", lambda values: values.astype(complex), "not a table of this model"),
    ],
)
def test_hostile_tables_are_refused(name: str, change: Change, message: str, preset: Path) -> None:
    path = preset / "tables" / f"{name}.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(ZooError, match=f"tables/{name[0]}.*({message})"):
        NGramLanguageModel.from_preset(preset)


@pytest.mark.parametrize("place", [3, 0, -1, -2])
def test_offsets_that_fall_are_refused_and_not_searched_for_ever(place: int, preset: Path) -> None:
    model = NGramLanguageModel.from_preset(preset)
    path = preset / "tables" / "2.begin.npy"
    np.save(path, put(place, 2**30)(model.tables.levels[1].begin))
    (preset / "tables" / "2.ends.npy").unlink()
    with pytest.raises(ZooError, match="2.begin.npy does not rise|2.* do not fit together"):
        NGramLanguageModel.from_preset(preset)


HEADERS = [
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f2', 'fortran_order': False, 'shape': (10**99,), }",
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f2', 'fortran_order': False, 'shape': (1000000000000,), }",
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f2', 'fortran_order': False, 'shape': (-1,), }",
    b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
    b"\x93NUMPY\x01\x00v\x00" + b"(" * 118,
    b"\x93NUMPY\x09\x00v\x00{}",
    b"",
]


@pytest.mark.parametrize("size", [200, 5000])
@pytest.mark.parametrize("header", HEADERS)
def test_hostile_headers_are_refused(header: bytes, size: int, preset: Path) -> None:
    path = preset / "tables" / "2.log_prob.npy"
    path.write_bytes(header.ljust(127) + b"\n" + b"\0" * size)
    with pytest.raises(ZooError, match="tables/2.*npy"):
        NGramLanguageModel.from_preset(preset)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("order", 0, "order 0 is not"),
        ("order", True, "order True is not"),
        ("order", 10**6, "4.words.npy is missing"),
        ("order", "3", "order '3' is not"),
        ("missing_backoff", float("nan"), "missing_backoff nan"),
        ("missing_backoff", 2.0, "missing_backoff 2.0"),
        ("monotone", "yes", "monotone 'yes'"),
        ("smoothing", "magic", "smoothing 'magic' is none of mle"),
        ("smoothing", None, "smoothing None is none of mle"),
        ("discounts", 3, "config.json does not fit"),
        ("more", 3, "config.json does not fit"),
    ],
)
def test_hostile_settings_are_refused(key: str, value: object, message: str, preset: Path) -> None:
    path = preset / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["config"][key] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ZooError, match=message):
        NGramLanguageModel.from_preset(preset)


def test_flipped_bits_are_refused_or_leave_probabilities(preset: Path) -> None:
    chance = random.Random(1)
    paths = sorted((preset / "tables").glob("*.npy"))
    for _ in range(60):
        path = chance.choice(paths)
        content = path.read_bytes()
        damaged = bytearray(content)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            model = NGramLanguageModel.from_preset(preset)
        except ZooError as error:
            assert str(preset) in str(error)  # noqa: PT017
        else:
            for score in model.score(["the dog sees", "zzz the", ""]):
                assert score.log_prob <= 0.01
            for _, probability in model.next_words(["the dog"], k=5)[0]:
                assert 0 <= probability <= 1.01
        path.write_bytes(content)
