"""Discounts of Kneser-Ney smoothing from counts of counts.

With n_r the number of k-grams of (adjusted) count r and Y = n_1 / (n_1 + 2 n_2), Chen and
Goodman (1998), equation (26), take off

    D_1 = 1 - 2 Y n_2 / n_1,   D_2 = 2 - 3 Y n_3 / n_2,   D_3+ = 3 - 4 Y n_4 / n_3

from counts of one, two, and three or more; Kneser and Ney (1995) take off Y from all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.errors import ZooError

FALLBACK = (0.5, 1.0, 1.5)


def checked_fallback(fallback: bool | float | Sequence[float] | None) -> Sequence[float] | None:
    """The fallback for counts 1, 2 and 3 or more; of fewer figures the last counts for the rest.

    Args:
        fallback: figures as after KenLM's `--discount_fallback`; True for its 0.5 1 1.5, False
            or None to have none.

    Example:
        >>> checked_fallback(True), checked_fallback((0.5, 1.0))
        ((0.5, 1.0, 1.5), (0.5, 1.0, 1.0))
    """
    if fallback is None or fallback is False:
        return None
    if fallback is True:
        return FALLBACK
    figures = [fallback] if isinstance(fallback, int | float) else fallback
    try:
        given = [float(d) for d in figures]
    except (TypeError, ValueError):
        given = []
    full = (given + given[-1:] * 3)[:3]
    if not 1 <= len(given) <= 3 or not all(0 <= d <= r for r, d in enumerate(full, 1)):
        raise ZooError(
            f"discount_fallback={fallback!r}: give at most three discounts, from 0 to 1, 2 and 3, "
            "as (0.5, 1, 1.5), True for these, or None"
        )
    return tuple(full)


def discounts_of(
    counts: np.ndarray, modified: bool = True, fallback: Sequence[float] | None = FALLBACK
) -> np.ndarray:
    """D_1, D_2 and D_3+ for one order.

    Args:
        counts: the (adjusted) counts of its k-grams.
        modified: three discounts; otherwise one for all counts.
        fallback: used where the corpus is too small for the formula: a count of counts is zero,
            or a discount falls outside 0 ... r. None refuses such a corpus.

    Example:
        >>> discounts_of(np.repeat([1, 2, 3, 4], [8, 4, 2, 1])).round(4).tolist()
        [0.5, 1.25, 2.0]
    """
    n = np.bincount(counts[(counts > 0) & (counts < 5)], minlength=5)[1:].astype(float)
    needed = 4 if modified else 2
    if n[:needed].all():
        y = n[0] / (n[0] + 2 * n[1])
        if not modified:
            return np.full(3, y)
        found = np.array([r - (r + 1) * y * n[r] / n[r - 1] for r in (1, 2, 3)])
        if (found >= 0).all() and (found <= (1, 2, 3)).all():
            return found
    if fallback is None:
        raise ZooError(
            f"{int(n[0])}, {int(n[1])}, {int(n[2])} and {int(n[3])} n-grams of count 1 to 4 give "
            "no discounts: train on more text, or set discount_fallback"
        )
    return np.array(fallback if modified else [fallback[0]] * 3, dtype=float)


def taken_off(counts: np.ndarray, discounts: np.ndarray) -> np.ndarray:
    """D(c) for each count; 0 for a count of 0."""
    return np.concatenate([[0.0], discounts])[np.minimum(counts, 3)]
