"""Rows of ids as one array."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.text import PAD
from zoo.text.padding import pad


@pytest.mark.parametrize("multiple", [1, 2, 8, 11])
def test_width_is_the_least_multiple_that_holds_the_longest_row(multiple):
    rows = [[4, 5], [], list(range(4, 15)), [6]]
    ids, lengths = pad(rows, multiple)
    assert ids.dtype == lengths.dtype == np.int32
    assert lengths.tolist() == [2, 0, 11, 1]
    assert ids.shape == (4, min(w for w in range(11, 100) if w % multiple == 0))
    for row, padded in zip(rows, ids.tolist(), strict=True):
        assert padded == row + [PAD] * (ids.shape[1] - len(row))


def test_missing_rows_are_padding():
    ids, lengths = pad([[4, 5, 6]], multiple=2, count=3)
    assert ids.tolist() == [[4, 5, 6, 0], [0] * 4, [0] * 4]
    assert lengths.tolist() == [3, 0, 0]


@pytest.mark.parametrize("rows", [[], [[]], [[], []]])
def test_rows_without_ids_have_the_least_width(rows):
    ids, lengths = pad(rows, multiple=4)
    assert ids.shape == (len(rows), 4)
    assert not ids.any()
    assert not lengths.any()
