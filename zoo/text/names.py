"""Which words of a vocabulary are names: those that stand with a capital inside sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

WORD = re.compile(r"[^\W\d_]+")
START = re.compile(r"(?:^|[.!?:;])[^\w]*$")  # what stands before a word that begins a sentence
LEAST = 2  # times it must have stood inside a sentence with a capital
SHARE = 0.8  # and of all times inside one


def proper_names(sentences: Iterable[str], vocabulary: Sequence[str], lowercase: bool) -> list[str]:
    """The names of a vocabulary, in its order, by how a corpus writes them.

    Args:
        sentences: the corpus, with its capitals.
        vocabulary: the words.
        lowercase: whether the vocabulary is in lower case; otherwise a name has its capital.

    Example:
        >>> proper_names(["He saw Tom and Ann.", "Did Tom see Ann?"], ["he", "tom", "ann"], True)
        ['tom', 'ann']
    """
    capitals: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for sentence in sentences:
        for found in WORD.finditer(sentence):
            word = found.group()
            if START.search(sentence[max(0, found.start() - 8) : found.start()]):
                continue
            inside[word.lower()] += 1
            capitals[word.lower()] += len(word) > 1 and word[0].isupper() and word[1:].islower()

    def is_name(word: str) -> bool:
        key = word.lower()
        enough = capitals[key] >= LEAST and capitals[key] >= SHARE * inside[key]
        return enough and (lowercase or word[:1].isupper())

    return [word for word in vocabulary if is_name(word)]
