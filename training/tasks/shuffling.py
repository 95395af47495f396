"""Sentences of a corpus that is never held: shuffled by arithmetic, batched pool by pool.

A permutation of millions of places takes as much memory as they. Here the place that comes n-th is
computed: a Feistel network, each of whose rounds can be undone whatever its function is, permutes
the numbers of twice as many bits as its halves have; a number that falls outside is sent through
again until it falls inside (cycle walking, Black and Rogaway 2002).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from training.datasets.token_map import TokenMap
from training.tasks.batches import Batch, sentence_batch
from training.tasks.widths import Shape, few_shapes

ROUNDS = 4
POOL = 256  # batches that are put in order of length together


class Permutation:
    """The places 0 ... count - 1 in an order that follows from the seed.

    Example:
        >>> sorted(Permutation(10, [1, 2]).at(np.arange(10)).tolist()) == list(range(10))
        True
    """

    def __init__(self, count: int, seed: list[int]) -> None:
        self.count = count
        self.bits = max(1, (max(count - 1, 1).bit_length() + 1) // 2)
        self.mask = np.uint64((1 << self.bits) - 1)
        self.keys = np.random.default_rng(seed).integers(1, 2**63, ROUNDS, dtype=np.uint64)

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """Which places come there."""
        places = self._through(np.asarray(numbers, np.uint64))
        while (outside := places >= self.count).any():
            places[outside] = self._through(places[outside])
        return places.astype(np.int64)

    def _through(self, numbers: np.ndarray) -> np.ndarray:
        left, right = numbers >> np.uint64(self.bits), numbers & self.mask
        for key in self.keys:
            left, right = right, left ^ (_mixed(right ^ key) & self.mask)
        return (left << np.uint64(self.bits)) | right


def _mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser: every bit of the input moves every bit of the output."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def map_widths(corpus: TokenMap, max_length: int) -> Mapping[Shape, Shape]:
    """The few widths of batches, by the longest row of a batch."""
    counts = corpus.counted_lengths(max_length + 1)
    lengths = np.flatnonzero(counts)
    return few_shapes(lengths[:, None], counts=counts[lengths])


def map_batches(
    corpus: TokenMap,
    batch_size: int,
    max_length: int,
    seed: list[int],
    widths: Mapping[Shape, Shape],
    done: int = 0,
) -> Iterator[Batch]:
    """As `sentence_batches`, the sentences of like length together within each pool.

    Args:
        corpus: the sentences.
        batch_size: rows of a batch; a last one of fewer is filled with rows of weight 0.
        max_length: longer sentences are cut.
        seed: the order follows from it.
        widths: how wide a batch becomes, by its longest row.
        done: so many batches are passed over without being read.
    """
    order, size = Permutation(len(corpus), seed), POOL * batch_size
    for pool in range(done // POOL, -(-len(corpus) // size)):
        numbers = np.arange(pool * size, min((pool + 1) * size, len(corpus)))
        places = order.at(numbers)
        lengths = np.minimum(corpus.lengths(places), max_length + 1)
        by_length = np.argsort(lengths, kind="stable")
        starts = np.arange(0, len(places), batch_size)
        np.random.default_rng([*seed, pool]).shuffle(starts)
        for start in starts[max(0, done - pool * POOL) :]:
            rows = by_length[start : start + batch_size]
            (width,) = widths[(int(lengths[rows[-1]]),)]
            sentences = [corpus[place].tolist() for place in places[rows]]
            yield sentence_batch(sentences, batch_size, max_length, width)
