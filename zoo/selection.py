"""The best k of many numbers in an array; on tensors it is `zoo.decoding.selection.top_k`."""

from __future__ import annotations

import numpy as np


def best_places(values: np.ndarray, k: int) -> np.ndarray:
    """Places of the k largest numbers of [n], best first, equal ones in the order of their places.

    Example:
        >>> best_places(np.array([1.0, 3.0, 2.0, 3.0]), k=3).tolist()
        [1, 3, 2]
    """
    if len(values) <= 4 * k:  # to sort few is as fast
        return np.argsort(-values, kind="stable")[:k]
    # Everything as large as the k-th stays, so that ties are broken by place.
    places = np.flatnonzero(values >= np.partition(values, -k)[-k])
    return places[np.argsort(-values[places], kind="stable")][:k]
