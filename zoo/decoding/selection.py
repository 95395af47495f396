"""The best k of many numbers, by way of blocks.

A selection of few among thousands looks at each number in turn, on one processor a row. The best
number of each block is found by vectorised code, and the k best lie in the k blocks with the best
of those: only these are looked at.
"""

from __future__ import annotations

from keras import ops

from zoo.types import Tensor

FEWEST = 2_000  # below, one selection is as fast
SMALLEST_BLOCK, LARGEST_BLOCK = 64, 160


def top_k(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`keras.ops.top_k` over the last axis of [rows, n]: values and places, best first.

    Equal values come in the order of their places. n must be static.
    """
    count = values.shape[-1]
    block = block_size(count)
    if count < FEWEST or k * block * 2 > count:
        best, places = ops.top_k(values, k=k)
        return best, ops.cast(places, "int32")
    missing = -count % block
    if missing:
        values = ops.pad(values, [[0, 0], [0, missing]], constant_values=-float("inf"))
    number = (count + missing) // block
    blocks = ops.reshape(values, (-1, number, block))
    _, chosen = ops.top_k(ops.max(blocks, axis=2), k=k)
    # In the order of their places, so that of equal numbers the first is found.
    chosen = -ops.top_k(-ops.cast(chosen, "int32"), k=k)[0]  # [rows, k], ascending
    starts = ops.expand_dims(ops.arange(ops.shape(values)[0], dtype="int32") * number, 1)
    candidates = ops.take(ops.reshape(values, (-1, block)), chosen + starts, axis=0)
    best, places = ops.top_k(ops.reshape(candidates, (-1, k * block)), k=k)
    places = ops.cast(places, "int32")
    first = ops.take_along_axis(chosen, places // block, axis=1) * block
    return best, first + places % block


def block_size(count: int) -> int:
    """A block that divides `count`, for padding would copy all numbers; else the smallest."""
    sizes = range(SMALLEST_BLOCK, LARGEST_BLOCK + 1)
    return next((size for size in reversed(sizes) if count % size == 0), SMALLEST_BLOCK)
