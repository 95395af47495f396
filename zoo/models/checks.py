"""Arguments that users give to models, checked: texts, counts, token ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.types import Tensor

BATCH = 64


def checked_texts(texts: Iterable[str]) -> list[str]:
    """A list of str, or an error that names what came instead."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise ZooError(f"got one {type(texts).__name__} {texts!r:.60}; give a list of str")
    checked = list(texts)
    for text in checked:
        if not isinstance(text, str):
            raise ZooError(f"got a text of type {type(text).__name__}; decode it to str first")
    return checked


def checked_count(name: str, value: int, largest: int) -> int:
    """`value` as a count between 1 and `largest`; a larger one is cut, a smaller one refused."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ZooError(f"{name}={value!r}: give a whole number from 1 to {largest}")
    return min(int(value), largest)


def refuse_unknown_ids(ids: Tensor, vocabulary_size: int) -> None:
    """Refuse ids outside the vocabulary, for which look-ups would read its other end."""
    try:
        values = np.asarray(ids)
    except Exception:  # inside a graph there are no numbers yet; each backend says so in its way
        return
    wrong = values[(values < 0) | (values >= vocabulary_size)]
    if wrong.size:
        raise ZooError(f"token id {wrong[0]}: ids are from 0 to {vocabulary_size - 1}")


def batches(items: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    """Consecutive slices of at most `size` items."""
    return (items[i : i + size] for i in range(0, len(items), size))
