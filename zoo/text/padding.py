"""Rows of ids of different lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.text.vocabulary import PAD


def pad(
    rows: Sequence[Sequence[int]], multiple: int = 8, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Right-pad rows of ids to one width.

    Args:
        rows: the ids.
        multiple: the width is a multiple of it, which keeps the number of shapes small; a
            multiple that is as long as the longest row is the width itself.
        count: rows in all, where batches must be equally large; those that are missing are `<pad>`.

    Returns:
        ids [rows, width] int32 and the rows' lengths [rows] int32.

    Example:
        >>> ids, lengths = pad([[5, 6, 7], [8]], multiple=4)
        >>> ids.tolist(), lengths.tolist()
        ([[5, 6, 7, 0], [8, 0, 0, 0]], [3, 1])
    """
    lengths = np.zeros(len(rows) if count is None else count, dtype=np.int32)
    lengths[: len(rows)] = [len(row) for row in rows]
    longest = int(lengths.max(initial=1))
    width = -(-longest // multiple) * multiple
    ids = np.full((len(lengths), width), PAD, dtype=np.int32)
    for padded, row in zip(ids, rows, strict=False):
        padded[: len(row)] = row
    return ids, lengths
