"""A corpus in memory: sentences or sentence pairs in three splits."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from training.datasets import splits
from training.datasets.sources import Source

SPLITS = ("train", "valid", "test")
TATOEBA_HELD_OUT = 5_000  # sentences in each of valid and test
TATOEBA_PAIRS_HELD_OUT = 4_000  # English sentences in each of valid and test


@dataclass(frozen=True)
class Pair:
    """A sentence, its translation, and every other known translation."""

    source: str
    target: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """Three splits of sentences (str) or of `Pair`s, and their licence and attribution.

    `is_stream`: running text, whose state is carried from line to line, or single sentences.
    """

    name: str
    train: list[Any]
    valid: list[Any]
    test: list[Any]
    licence: str = ""
    attribution: str = ""
    is_stream: bool = False


def sentences_corpus(
    source: Source, lines: Iterable[str], held_out: int = TATOEBA_HELD_OUT
) -> Corpus:
    """Single sentences, split by the hash of each sentence; small corpora hold out a tenth."""
    unique = sorted({line.strip() for line in lines} - {""})
    count = min(held_out, len(unique) // 10)
    train, valid, test = splits.split(unique, count, count)
    return Corpus(source.name, train, valid, test, source.licence, source.attribution)


def pairs_corpus(
    source: Source, lines: Iterable[str], held_out: int = TATOEBA_PAIRS_HELD_OUT
) -> Corpus:
    """English TAB German lines, split by the English sentence; German is the source.

    A German sentence of the held-out parts is in no training pair, whatever its English side,
    and its references are all of its English sides.
    """
    pairs = sorted({tuple(line.strip().split("\t")[:2]) for line in lines if "\t" in line})
    english_of: dict[str, list[str]] = defaultdict(list)
    for english, german in pairs:
        english_of[german].append(english)
    english_sides = {pair[0] for pair in pairs}
    count = min(held_out, len(english_sides) // 10)
    _, valid_side, test_side = (set(part) for part in splits.split(english_sides, count, count))
    held: dict[str, set[str]] = {"valid": valid_side, "test": test_side - valid_side}
    held_sides = valid_side | test_side
    parts: dict[str, list[Pair]] = {"train": [], "valid": [], "test": []}
    placed: dict[str, str] = {}
    for name, chosen in held.items():
        for target, german in pairs:
            if target in chosen and german not in placed:
                placed[german] = name
                parts[name].append(Pair(german, target, tuple(english_of[german])))
    parts["train"] = [
        Pair(german, target, tuple(english_of[german]))
        for target, german in pairs
        if german not in placed and target not in held_sides
    ]
    order = splits.shuffled({pair.source for pair in parts["train"]})
    place = {german: i for i, german in enumerate(order)}
    parts["train"].sort(key=lambda pair: place[pair.source])
    train, valid, test = (parts[part] for part in ("train", "valid", "test"))
    return Corpus(source.name, train, valid, test, source.licence, source.attribution)


def reverse(corpus: Corpus, name: str) -> Corpus:
    """The other direction of a translation corpus, split alike."""
    sources_of: dict[str, list[str]] = defaultdict(list)
    for part in (corpus.train, corpus.valid, corpus.test):
        for pair in part:
            sources_of[pair.target].append(pair.source)
    train, valid, test = (
        [Pair(p.target, p.source, tuple(dict.fromkeys(sources_of[p.target]))) for p in part]
        for part in (corpus.train, corpus.valid, corpus.test)
    )
    return Corpus(name, train, valid, test, corpus.licence, corpus.attribution)


def fingerprint(*parts: Iterable[Any]) -> str:
    """The same for the same examples in the same order, whichever file they come from."""
    sums = hashlib.sha256()
    for part in parts:
        sums.update(repr(list(part)).encode("utf-8"))
    return sums.hexdigest()
