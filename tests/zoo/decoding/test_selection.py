"""The best few of many, against a sort."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from zoo.decoding.selection import FEWEST, block_size, top_k


@pytest.mark.parametrize("count", [7, 1_999, 2_000, 2_003, 10_000, 10_007])
@pytest.mark.parametrize("k", [1, 7])
def test_the_best_come_first_and_equal_ones_in_their_order(count, k):
    rng = np.random.default_rng(count)
    values = rng.integers(0, 50, (5, count)).astype("float32")  # many are equal
    values[0] = -np.inf
    values[0, 3] = 1.0
    best, places = (ops.convert_to_numpy(x) for x in top_k(ops.convert_to_tensor(values), k))
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(places[1:], order[1:])
    np.testing.assert_array_equal(best[1:], np.take_along_axis(values, order, 1)[1:])
    assert (best[0, 0], places[0, 0]) == (1.0, 3)
    assert (places[0] < count).all()


def test_blocks_divide_where_they_can():
    assert block_size(10_000) == 125
    assert block_size(10_007) * 7 * 2 < FEWEST
