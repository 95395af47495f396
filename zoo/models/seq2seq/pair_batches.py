"""Pairs of texts in batches by their size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

BATCH_TOKENS = 8192  # scored at a time: a row of logits is as wide as the vocabulary


def token_batches(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Places of like-sized items together, `BATCH_TOKENS` a batch after padding (or one item)."""
    batch: list[int] = []
    for i in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        if batch and sizes[i] * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
