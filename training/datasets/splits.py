"""Splits that follow from the text alone: the same on any machine, in any order of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SEED = 1


def shuffled(sentences: Iterable[str], seed: int = SEED) -> list[str]:
    """Unique sentences in an order given by a hash of seed and sentence."""
    return sorted(set(sentences), key=lambda sentence: _hash(sentence, seed))


def _hash(sentence: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{sentence}".encode()).digest()


def split(
    sentences: Iterable[str], valid: int, test: int, seed: int = SEED
) -> tuple[list[str], list[str], list[str]]:
    """Train, valid and test sentences: the first of the shuffled ones are held out.

    A sentence is in exactly one of the three, however often it stands in the corpus.
    """
    order = shuffled(sentences, seed)
    return order[valid + test :], order[:valid], order[valid : valid + test]
