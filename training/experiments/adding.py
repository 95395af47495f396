"""The adding problem (Hochreiter and Schmidhuber 1997; Le, Jaitly and Hinton 2015).

A sequence of pairs: a number in [0, 1) and a mark that is 1 at two places, one in each half. The
target is the sum of the two marked numbers; always answering 1 has a mean squared error of 1/6.
"""

from __future__ import annotations

import numpy as np

ALWAYS_ONE = 1 / 6


def adding_batch(
    count: int, length: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`[count, length, 2]` float32 numbers and marks, and the sums `[count, 1]`."""
    numbers = rng.random((count, length), dtype=np.float32)
    marks = np.zeros((count, length), dtype=np.float32)
    rows, half = np.arange(count), length // 2
    marks[rows, rng.integers(0, half, count)] = 1
    marks[rows, rng.integers(half, length, count)] = 1
    sums = (numbers * marks).sum(axis=1, keepdims=True)
    return np.stack([numbers, marks], axis=-1), sums
