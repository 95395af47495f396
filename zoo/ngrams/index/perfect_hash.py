"""A place of its own for each key of a set, so that a key is found with one probe.

Hash and displace: a key's hash names its bucket and a place; every place of a bucket is moved by
the same distance, chosen when the hash is made such that no two keys meet. A look-up is the same
few steps for every key, with no second try, which suits arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FULL = 0.88  # of the places at most
BUCKET_BITS = 2  # fewer than of a place: about 2 to 4 keys a bucket
TRIES = 24  # multipliers for one size
FREE = -1


@dataclass(frozen=True)
class PerfectHash:
    """Places of distinct uint64 keys; other keys get the place of some key or a free one.

    Attributes:
        multiplier: odd.
        place_bits: there are 2 ** place_bits places.
        shifts: how far the places of each bucket are moved; [buckets] int16 or int32.
    """

    multiplier: np.uint64
    place_bits: int
    shifts: np.ndarray

    @property
    def size(self) -> int:
        """How many places there are."""
        return 1 << self.place_bits

    def __call__(self, keys: np.ndarray) -> np.ndarray:
        """Places of keys; int64."""
        hashed = keys * self.multiplier
        bits = self.place_bits
        buckets = hashed >> np.uint64(64 - bits + BUCKET_BITS)
        hashed >>= np.uint64(64 - 2 * bits + BUCKET_BITS)
        places = hashed.view(np.int64)
        places += self.shifts.take(buckets.view(np.int64))
        places &= self.size - 1
        return places

    @classmethod
    def of(cls, keys: np.ndarray) -> PerfectHash:
        """A hash without collisions for these keys, which must be distinct."""
        bits = max(int(len(keys) / FULL).bit_length(), BUCKET_BITS + 1)
        rng = np.random.default_rng(0)
        for attempt in range(1, 8 * TRIES):
            multiplier = np.uint64(rng.integers(2**63, 2**64, dtype=np.uint64) | np.uint64(1))
            hashed = np.sort(keys * multiplier)
            hashed >>= np.uint64(64 - 2 * bits + BUCKET_BITS)
            # Two keys of one bucket and one place stay together however far they are moved.
            if not (hashed[1:] == hashed[:-1]).any():
                shifts = _distances(hashed.view(np.int64), bits)
                if shifts is not None:
                    return cls(multiplier, bits, shifts)
            bits += attempt % TRIES == 0
        raise ValueError("no hash without collisions: the keys are not distinct")


def _distances(hashed: np.ndarray, bits: int) -> np.ndarray | None:
    """How far to move each bucket; None where a bucket finds no free places.

    The fullest buckets choose first.

    Args:
        hashed: rising, a bucket's number above `bits` bits of a place.
        bits: of a place.
    """
    shifts = np.zeros(1 << (bits - BUCKET_BITS), np.int32)
    owner = np.full(1 << bits, FREE, np.int32)  # the bucket in each place
    buckets = hashed >> bits
    first = np.flatnonzero(np.diff(buckets, prepend=FREE))
    sizes = np.diff(first, append=len(hashed))
    for size in range(int(sizes.max(initial=0)), 1, -1):
        rows = first[sizes == size]
        if not _settle(hashed[rows[:, None] + np.arange(size)], buckets[rows], owner, shifts):
            return None
    rows = first[sizes == 1]
    rows = rows[np.argsort(hashed[rows] & (len(owner) - 1))]
    free = np.flatnonzero(owner == FREE)
    free = free[np.arange(len(rows)) * len(free) // max(len(rows), 1)]  # spread, so never far
    shifts[buckets[rows]] = free - (hashed[rows] & (len(owner) - 1))
    is_near = np.abs(shifts).max(initial=0) < 2**15
    return shifts.astype(np.int16) if is_near else shifts  # small enough for a nearer cache


def _settle(hashed: np.ndarray, buckets: np.ndarray, owner: np.ndarray, shifts: np.ndarray) -> bool:
    """Move buckets of one size, [buckets, size], to free places; all try each distance at once.

    Returns:
        Whether all found places.
    """
    for distance in range(len(owner)):
        if not len(buckets):
            break
        places = (hashed + distance) & (len(owner) - 1)
        trying = np.flatnonzero((owner[places] == FREE).all(axis=1))
        places, names = places[trying], buckets[trying, None]
        owner[places] = names  # of several for one place, the last stays
        holds = owner[places] == names
        wins = holds.all(axis=1)
        owner[places[~wins][holds[~wins]]] = FREE
        shifts[buckets[trying[wins]]] = distance
        left = np.ones(len(buckets), bool)
        left[trying[wins]] = False
        hashed, buckets = hashed[left], buckets[left]
    return not len(buckets)
