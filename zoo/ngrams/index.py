"""A hash index over the tables, for scoring much text: one look where a binary search takes ten.

The tables alone answer every question, so the index is made in memory when it pays (`PAYS_AFTER`)
and is never saved. A slot holds an n-gram's key, context and last word in one number, with its
place in the level. An entry lies within `PROBES` slots from where its key is hashed to; the few
that find no room there are left to the binary search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.ngrams import query
from zoo.ngrams.tables import NGramTables

PAYS_AFTER = 1 / 16  # tokens to score, for each n-gram in the tables
PROBES = 8
KEY_BITS = 63  # so that no key with its place looks like EMPTY
SPREAD = 2.5  # slots for each entry
EMPTY = np.uint64(2**64 - 1)
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
HALF = np.uint64(32)


@dataclass(frozen=True)
class LevelIndex:
    """The entries of one level by context and last word.

    Attributes:
        slots: [size + PROBES] uint64, a key above `place_bits` bits of the entry's place.
        place_bits: how many bits a place takes.
        vocabulary_size: a key is context * vocabulary_size + word.
    """

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
        slots = np.full(int(size * SPREAD) + 1 + PROBES, EMPTY)
        index = cls(slots, place_bits, words)
        parent = np.repeat(np.arange(len(level)), np.diff(level.begin[:-1]))
        keys, at = index._hashed(parent, np.asarray(above.words[:-1]))
        values = (keys << np.uint64(place_bits)) | np.arange(size, dtype=np.uint64)
        for _ in range(PROBES):
            free = slots[at] == EMPTY
            slots[at[free]] = values[free]  # of several for one slot, the last stays
            homeless = slots[at] != values
            values, at = values[homeless], at[homeless] + 1
        return index

    def _hashed(self, contexts: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keys, and the slots where their search starts."""
        keys = contexts.astype(np.uint64)
        keys *= np.uint64(self.vocabulary_size)
        keys += words.astype(np.uint64)
        at = keys * MULTIPLIER
        at >>= HALF
        at *= np.uint64(len(self.slots) - PROBES)
        at >>= HALF
        return keys, at.astype(np.int64)

    def find(
        self, tables: NGramTables, k: int, contexts: np.ndarray, words: np.ndarray
    ) -> np.ndarray:
        """What `query.find` gives."""
        keys, at = self._hashed(contexts, words)
        keys <<= np.uint64(self.place_bits)
        end = np.uint64(1 << self.place_bits)
        found = self.slots.take(at)
        places = found ^ keys  # the place alone where the key is the same, else far above
        is_lost = places >= end
        going = np.flatnonzero(is_lost & (found != EMPTY))
        missing = np.uint64(tables.levels[k].missing)  # above every place, and below `end`
        places, left = np.minimum(places, missing).view(np.int64), going
        for _ in range(PROBES - 1):
            keys, at = keys.take(going), at.take(going) + 1
            found = self.slots.take(at)
            place = found ^ keys
            is_lost = place >= end
            hit = np.flatnonzero(~is_lost)
            places[left.take(hit)] = place.take(hit)
            going = np.flatnonzero(is_lost & (found != EMPTY))
            left = left.take(going)
        places[left] = query.find(tables, k, contexts.take(left), words.take(left))
        return places


class HashFinder:
    """`query.find` for these tables, by hashing where that is possible."""

    def __init__(self, tables: NGramTables) -> None:
        self.tables = tables
        self.levels = [LevelIndex.of(tables, k) for k in range(1, tables.order)]

    def __call__(self, k: int, contexts: np.ndarray, words: np.ndarray) -> np.ndarray:
        level = self.levels[k - 1]
        if level is None:
            return query.find(self.tables, k, contexts, words)
        return level.find(self.tables, k, contexts, words)

    @property
    def bytes(self) -> int:
        """Size of all slots."""
        return sum(level.slots.nbytes for level in self.levels if level is not None)
