"""The next batches are made, and brought to the device, while a step runs."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Ready = TypeVar("Ready")
AHEAD = 3  # batches


def prefetched(
    items: Iterator[Item], prepare: Callable[[Item], Ready], ahead: int = AHEAD
) -> Iterator[Ready]:
    """`prepare(item)` of each item in order, made by a thread of its own some items ahead.

    What the items or their preparation raise is raised here, at the item's place.
    """

    def one() -> list[Ready]:
        """The next item, or nothing after the last: a future cannot hold StopIteration."""
        return [prepare(item) for item in itertools.islice(items, 1)]

    with ThreadPoolExecutor(1, "batches") as thread:
        waiting = deque(thread.submit(one) for _ in range(ahead))
        while ready := waiting.popleft().result():
            waiting.append(thread.submit(one))
            yield ready[0]
