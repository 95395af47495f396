"""Batches of sentence pairs: like lengths together on both sides, padded little.

The source's order is decided here, at batch-building time: rows come from the model's own
`source_row`, which turns them around under extension V.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.text import BOS, EOS, PAD
from zoo.text.padding import pad

Batch = dict[str, np.ndarray]
WIDTH_MULTIPLE = 2


@dataclass(frozen=True)
class EncodedPairs:
    """Pairs as ids: sources as the encoder reads them, targets without `<bos>` and `<eos>`."""

    sources: list[list[int]]
    targets: list[list[int]]

    def __len__(self) -> int:
        return len(self.sources)

    def within(self, longest: int) -> EncodedPairs:
        """The pairs of at most so many tokens on either side: a cut pair would teach to drop."""
        kept = [
            i
            for i, (source, target) in enumerate(zip(self.sources, self.targets, strict=True))
            if len(source) <= longest + 1 and len(target) <= longest
        ]
        return EncodedPairs([self.sources[i] for i in kept], [self.targets[i] for i in kept])


def pair_batches(
    pairs: EncodedPairs, batch_size: int, rng: np.random.Generator | None
) -> Iterator[Batch]:
    """All pairs once, in batches of equally many rows.

    With `rng` pairs of equal lengths and the batches among each other are in random order; without
    it the order is by length. A last batch of few pairs is filled with rows of weight 0.

    Yields:
        source, inputs, targets: [batch_size, time] int32, right-padded; weights: float32, 1 where
        a target counts (`<eos>` does).
    """
    count = len(pairs)
    lengths = np.array(
        [
            (len(target), len(source))
            for source, target in zip(pairs.sources, pairs.targets, strict=True)
        ]
    ).reshape(-1, 2)
    order = np.arange(count) if rng is None else rng.permutation(count)
    order = order[np.lexsort((lengths[order, 1], lengths[order, 0]))]
    starts = np.arange(0, count, batch_size)
    if rng is not None:
        rng.shuffle(starts)
    for start in starts:
        rows = order[start : start + batch_size]
        yield make_batch(
            [pairs.sources[i] for i in rows], [pairs.targets[i] for i in rows], batch_size
        )


def make_batch(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], batch_size: int
) -> Batch:
    """One batch with `batch_size` rows."""
    source, _ = pad(sources, WIDTH_MULTIPLE, batch_size)
    wanted, _ = pad([[*target, EOS] for target in targets], WIDTH_MULTIPLE, batch_size)
    inputs, _ = pad([[BOS, *target] for target in targets], WIDTH_MULTIPLE, batch_size)
    return {
        "source": source,
        "inputs": inputs,
        "targets": wanted,
        "weights": (wanted != PAD).astype(np.float32),
    }
