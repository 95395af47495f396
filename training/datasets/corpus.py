"""A corpus in memory: sentences or sentence pairs in three splits."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from training.datasets import splits
from training.datasets.sources import Source
from training.datasets.text_files import TextFiles

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Pair:
    """A sentence, its translation, and every other known translation."""

    source: str
    target: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """Three splits of sentences (str) or of `Pair`s, and their licence and attribution.

    Training text that is too large to hold is `TextFiles`. `is_stream`: running text, whose state
    is carried from line to line, or single sentences.
    """

    name: str
    train: list[Any] | TextFiles
    valid: list[Any]
    test: list[Any]
    licence: str = ""
    attribution: str = ""
    is_stream: bool = False


def sentences_corpus(source: Source, lines: Iterable[str]) -> Corpus:
    """Single sentences, each in the part that its words say."""
    train, valid, test = splits.split({line.strip() for line in lines} - {""})
    return Corpus(source.name, train, valid, test, source.licence, source.attribution)


def pairs_corpus(source: Source, lines: Iterable[str]) -> Corpus:
    """English TAB German lines, split by the English sentence; German is the source.

    A pair is in a part if neither of its sentences is a near-duplicate of one in a held-out part
    that comes before it (test, valid, train). References are all English sides of a sentence.
    """
    pairs = sorted({tuple(line.strip().split("\t")[:2]) for line in lines if "\t" in line})
    references: dict[str, list[str]] = defaultdict(list)
    for english, german in pairs:
        references[german].append(english)
    by_part: dict[str, list[tuple[Pair, tuple[splits.Words, splits.Words]]]] = defaultdict(list)
    for english, german in pairs:
        sides = splits.words_of(english), splits.words_of(german)
        pair = Pair(german, english, tuple(references[german]))
        by_part[splits.part_of(sides[0])].append((pair, sides))
    parts: dict[str, list[Pair]] = {}
    held: list[splits.Words] = []
    for name in ("test", "valid", "train"):
        near = splits.NearDuplicates(held)
        kept = [(p, s) for p, s in by_part[name] if s[0] not in near and s[1] not in near]
        parts[name] = [pair for pair, _ in kept]
        held += [words for _, sides in kept for words in sides] if name != "train" else []
    for name in ("valid", "test"):
        parts[name] = _once(parts[name])
    train, valid, test = (_by_hash(parts[name]) for name in SPLITS)
    return Corpus(source.name, train, valid, test, source.licence, source.attribution)


def _once(pairs: Iterable[Pair]) -> list[Pair]:
    """Each source once, with the first of its translations."""
    return list({pair.source: pair for pair in reversed(list(pairs))}.values())


def _by_hash(pairs: list[Pair]) -> list[Pair]:
    """In the order of the hashes of the sources."""
    order = splits.shuffled({pair.source for pair in pairs})
    place = {source: k for k, source in enumerate(order)}
    return sorted(pairs, key=lambda pair: (place[pair.source], pair.target))


def reverse(corpus: Corpus, name: str) -> Corpus:
    """The other direction of a translation corpus, split alike."""
    sources_of: dict[str, list[str]] = defaultdict(list)
    parts: list[list[Any]] = [list(getattr(corpus, part)) for part in SPLITS]
    for part in parts:
        for pair in part:
            sources_of[pair.target].append(pair.source)
    train, valid, test = (
        [Pair(p.target, p.source, tuple(dict.fromkeys(sources_of[p.target]))) for p in part]
        for part in parts
    )
    return Corpus(name, train, _once(valid), _once(test), corpus.licence, corpus.attribution)


def fingerprint(*parts: Iterable[Any]) -> str:
    """The same for the same examples in the same order, whichever file they come from."""
    sums = hashlib.sha256()
    for part in parts:
        held = part.sha256 if isinstance(part, TextFiles) else repr(list(part))
        sums.update(held.encode("utf-8"))
    return sums.hexdigest()
