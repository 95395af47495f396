"""A hash index over the tables, for scoring much text: one probe where a binary search takes ten.

The tables alone answer every question, so the index is made in memory when it pays (`PAYS_AFTER`)
and is never saved. A slot holds an n-gram's key, context and last word in one number, with its
place in the level, and beside it its log-probability and backoff, so that a look-up reads one place
in memory. Which slot an n-gram has is known at once (see `zoo.ngrams.index.perfect_hash`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.ngrams import query
from zoo.ngrams.index.perfect_hash import PerfectHash
from zoo.ngrams.tables import NGramTables

PAYS_AFTER = 1.0  # tokens to score, for each n-gram in the tables
KEY_BITS = 63  # so that no key with its place looks like EMPTY
EMPTY = np.uint64(2**64 - 1)
SLOT = np.dtype([("key", np.uint64), ("log_prob", np.float32), ("backoff", np.float32)])


@dataclass(frozen=True)
class LevelIndex:
    """The entries of one level by context and last word.

    Attributes:
        hash: gives the slot of a key, which is context * vocabulary_size + word.
        slots: of type SLOT, a key above `place_bits` bits of the entry's place.
        place_bits: how many bits a place takes.
        vocabulary_size: of the model.
    """

    hash: PerfectHash
    slots: np.ndarray
    place_bits: int
    vocabulary_size: int

    @classmethod
    def of(cls, tables: NGramTables, k: int) -> LevelIndex | None:
        """The index of level k + 1; None where key and place do not fit into 64 bits."""
        level, above = tables.levels[k - 1], tables.levels[k]
        size, words = len(above), tables.vocabulary_size
        place_bits = size.bit_length()
        if ((len(level) + 1) * words).bit_length() + place_bits > KEY_BITS:
            return None
        parent = np.repeat(np.arange(len(level)), np.diff(level.begin[:-1]))
        keys = (parent * words + above.words[:-1]).astype(np.uint64)
        hashed = PerfectHash.of(keys)
        at = hashed(keys)
        slots = np.zeros(hashed.size, SLOT)
        slots["key"] = EMPTY
        slots["key"][at] = (keys << np.uint64(place_bits)) | np.arange(size, dtype=np.uint64)
        slots["log_prob"][at] = above.log_prob[:-1]
        if len(above.backoff):
            slots["backoff"][at] = above.backoff[:-1]
        return cls(hashed, slots, place_bits, words)

    def lookup(self, contexts: np.ndarray, words: np.ndarray) -> query.Found:
        """The n-grams `contexts` continued by `words`, both int64."""
        keys = contexts * self.vocabulary_size
        keys += words
        places = keys.view(np.uint64)
        found = self.slots.take(self.hash(places))
        places <<= np.uint64(self.place_bits)
        places ^= found["key"]  # the place alone where the key is the same, else far above
        hit = np.flatnonzero(places < np.uint64(1 << self.place_bits))
        found = found.take(hit)
        return query.Found(hit, keys.take(hit), found["log_prob"], found["backoff"])


class HashFinder:
    """`query.search` for these tables, by hashing where that is possible."""

    def __init__(self, tables: NGramTables) -> None:
        self.tables = tables
        self.levels = [LevelIndex.of(tables, k) for k in range(1, tables.order)]

    def __call__(self, k: int, contexts: np.ndarray, words: np.ndarray) -> query.Found:
        level = self.levels[k - 1]
        if level is None:
            return query.search(self.tables, k, contexts, words)
        return level.lookup(contexts, words)

    @property
    def bytes(self) -> int:
        """Size of all slots and of what finds them."""
        levels = [level for level in self.levels if level is not None]
        return sum(level.slots.nbytes + level.hash.shifts.nbytes for level in levels)
