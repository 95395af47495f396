"""Few shapes for the batches of a run: a compiled step is a program for each shape.

Batches hold sentences of like length, so there are as many natural shapes as lengths. They are
merged, the two whose merging pads least first, until at most `MOST_SHAPES` are left.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

MOST_SHAPES = 8
MOST_NATURAL = 400  # of more, each size is rounded up first: merging compares all pairs

Shape = tuple[int, ...]


def few_shapes(
    shapes: np.ndarray, most: int = MOST_SHAPES, counts: np.ndarray | None = None
) -> Mapping[Shape, Shape]:
    """From each batch's natural shape to the one that it is padded to.

    Args:
        shapes: of all batches of an epoch, [batches, axes].
        most: how many different ones there may be in the end.
        counts: batches of each shape, where every row of `shapes` is another one.

    Example:
        >>> few_shapes(np.array([[3], [3], [3], [4], [9]]), most=2)
        {(3,): (4,), (4,): (4,), (9,): (9,)}
    """
    if counts is None:
        found, counts = np.unique(shapes, axis=0, return_counts=True)
    else:
        found = shapes
    sizes, multiple = found, 1
    while len(np.unique(sizes, axis=0)) > MOST_NATURAL:
        multiple *= 2
        sizes = -(-found // multiple) * multiple
    sizes, group = np.unique(sizes, axis=0, return_inverse=True)
    group, counts = group.reshape(-1), np.bincount(group.reshape(-1), counts)
    while len(sizes) > most:
        sizes, counts, group = _merged(sizes, counts, group)
    return {
        tuple(map(int, natural)): tuple(map(int, sizes[place]))
        for natural, place in zip(found, group, strict=True)
    }


def fitting(widths: Mapping[Shape, Shape], natural: Shape) -> Shape:
    """What a shape is padded to: of one that `few_shapes` has not seen, the smallest that holds it.

    Example:
        >>> fitting({(3, 5): (4, 5), (9, 9): (9, 9)}, (5, 2))
        (9, 9)
    """
    if natural in widths:
        return widths[natural]
    large = [
        s for s in set(widths.values()) if all(a >= b for a, b in zip(s, natural, strict=True))
    ]
    return min(large, key=lambda shape: (sum(shape), shape), default=natural)


def _merged(
    sizes: np.ndarray, counts: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two groups of batches as one whose merging adds the fewest padded places."""
    both = np.maximum(sizes[:, None], sizes[None])  # [groups, groups, axes]
    added = counts[:, None] * (both - sizes[:, None]).sum(-1)
    cost = added + added.T
    np.fill_diagonal(cost, np.inf)
    one, other = sorted(map(int, divmod(int(cost.argmin()), len(sizes))))
    sizes, counts = sizes.copy(), counts.copy()
    sizes[one], counts[one] = both[one, other], counts[one] + counts[other]
    group = np.where(group == other, one, group)
    kept = np.arange(len(sizes)) != other
    return sizes[kept], counts[kept], group - (group > other)
