"""The best k of an array are those of a stable sort, ties and impossible ones included."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.selection import best_places


@pytest.mark.parametrize("count", [1, 3, 12, 13, 500])
@pytest.mark.parametrize("kind", ["plain", "ties", "few are possible"])
def test_the_best_places_are_those_of_a_stable_sort(count, kind):
    rng = np.random.default_rng(count)
    values = rng.normal(size=count) if kind == "plain" else rng.integers(0, 4, count) * 1.0
    if kind == "few are possible":
        values[rng.random(count) < 0.9] = -np.inf
    expected = np.argsort(-values, kind="stable")[:3]
    np.testing.assert_array_equal(best_places(values, 3), expected)
