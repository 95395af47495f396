"""Tables on disk: what comes back is what was saved, from the older form too, or is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.ngrams import lines_of
from zoo.errors import ZooError
from zoo.models.ngram import NGramLanguageModel
from zoo.ngrams.tables import MAPPED, NGramTables, packed_ends, unpacked_ends


@pytest.fixture(scope="module")
def tables() -> NGramTables:
    return NGramLanguageModel.train(lines_of("corpus.txt"), 4, tokenizer="whitespace").tables


def assert_same(tables: NGramTables, others: NGramTables) -> None:
    for level, other in zip(tables.levels, others.levels, strict=True):
        for name in (*MAPPED, "begin"):
            got, wanted = getattr(other, name), getattr(level, name)
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=60))
def test_offsets_come_back_from_their_bits(followers: list[int]) -> None:
    total = sum(followers)
    begin = np.array([0, *np.cumsum(followers, dtype=np.int32), total], np.int32)
    packed = packed_ends(begin)
    assert len(packed) == -(-(len(followers) + total) // 8)
    unpacked = unpacked_ends(packed, len(followers), total)
    assert unpacked is not None
    assert unpacked.dtype == np.int32
    assert unpacked.tolist() == begin.tolist()


def test_saved_tables_come_back(tables: NGramTables, tmp_path: Path) -> None:
    tables.save(tmp_path)
    assert_same(tables, NGramTables.load(tmp_path, 4))
    assert not list(tmp_path.glob("tables/*.begin.npy"))


def test_tables_saved_with_whole_offsets_come_back(tables: NGramTables, tmp_path: Path) -> None:
    tables.save(tmp_path)
    for k, level in enumerate(tables.levels, 1):
        np.save(tmp_path / "tables" / f"{k}.begin.npy", level.begin)
        (tmp_path / "tables" / f"{k}.ends.npy").unlink(missing_ok=True)
    assert_same(tables, NGramTables.load(tmp_path, 4))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda ends: ends[:-1], "do not fit together"),
        (lambda ends: np.append(ends, np.uint8(0)), "do not fit together"),
        (lambda ends: ends ^ np.uint8(16), "do not fit together"),
        (lambda ends: ends.astype(np.int32), "do not fit together"),
        (lambda ends: ends[None], "not a table of this model"),
        (None, "2.ends.npy is missing"),
    ],
)
def test_damaged_offsets_are_refused(
    tables: NGramTables, damage: object, message: str, tmp_path: Path
) -> None:
    tables.save(tmp_path)
    path = tmp_path / "tables" / "2.ends.npy"
    if callable(damage):
        np.save(path, damage(np.load(path)))
    else:
        path.unlink()
    with pytest.raises(ZooError, match=message):
        NGramTables.load(tmp_path, 4)
