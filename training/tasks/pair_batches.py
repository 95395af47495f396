"""Batches of sentence pairs: like lengths together on both sides, padded little.

The source's order is decided here, at batch-building time: rows come from the model's own
`source_row`, which turns them around under extension V.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.tasks.widths import Shape, few_shapes, fitting
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

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each pair, target and source, `<eos>` among the target's; [pairs, 2]."""
        both = zip(self.sources, self.targets, strict=True)
        sizes = [(len(target) + 1, max(len(source), 1)) for source, target in both]
        return np.array(sizes, dtype=np.int64).reshape(-1, 2)


def pair_batches(
    pairs: EncodedPairs,
    batch_size: int,
    rng: np.random.Generator | None,
    widths: Mapping[Shape, Shape] | None = None,
) -> Iterator[Batch]:
    """All pairs once, in batches of equally many rows.

    With `rng` pairs of equal lengths and the batches among each other are in random order; without
    it the order is by length. A last batch of few pairs is filled with rows of weight 0. `widths`
    (`pair_widths`) tells how wide a batch becomes, by its longest target and source.

    Yields:
        source, inputs, targets: [batch_size, time] int32, right-padded; weights: float32, 1 where
        a target counts (`<eos>` does).
    """
    count, lengths = len(pairs), pairs.lengths
    order = np.arange(count) if rng is None else rng.permutation(count)
    order = order[np.lexsort((lengths[order, 1], lengths[order, 0]))]
    starts = np.arange(0, count, batch_size)
    if rng is not None:
        rng.shuffle(starts)
    for start in starts:
        rows = order[start : start + batch_size]
        longest = tuple(map(int, lengths[rows].max(axis=0)))
        shape = (WIDTH_MULTIPLE, WIDTH_MULTIPLE) if widths is None else fitting(widths, longest)
        sources, targets = ([side[i] for i in rows] for side in (pairs.sources, pairs.targets))
        yield make_batch(sources, targets, batch_size, shape)


def pair_widths(pairs: EncodedPairs, batch_size: int) -> Mapping[Shape, Shape]:
    """The few shapes of the batches of `pair_batches`, by a batch's longest target and source."""
    lengths = pairs.lengths[np.lexsort((pairs.lengths[:, 1], pairs.lengths[:, 0]))]
    starts = np.arange(0, len(lengths), batch_size)
    return few_shapes(np.maximum.reduceat(lengths, starts, axis=0))


def make_batch(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    batch_size: int,
    multiples: Shape,
) -> Batch:
    """One batch with `batch_size` rows, each side as wide as a multiple (target's, source's)."""
    of_target, of_source = multiples
    source, _ = pad(sources, of_source, batch_size)
    wanted, _ = pad([[*target, EOS] for target in targets], of_target, batch_size)
    inputs, _ = pad([[BOS, *target] for target in targets], of_target, batch_size)
    return {
        "source": source,
        "inputs": inputs,
        "targets": wanted,
        "weights": (wanted != PAD).astype(np.float32),
    }
