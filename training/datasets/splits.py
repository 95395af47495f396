"""Splits that follow from each sentence alone: the same in any corpus, on any machine.

A sentence is held out if the hash of its words says so: whichever file it stands in, however often
and with whatever case and marks, it is in the same part. Sentences that a held-out one is one word
away from are in no part: trained on, they would give its words away. (Joining near-duplicates to
clusters instead makes one of a fifth of all everyday sentences, which no part could hold.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from zoo.text.sentence_words import Words, hash_of, words_of

SEED = 1
HELD_OUT = 0.025  # of all sentences, in each of valid and test


def part_of(words: Words) -> str:
    """`"train"`, `"valid"` or `"test"`, by the hash of the words."""
    place = int.from_bytes(hash_of(" ".join(words), SEED)[:8], "big") / 2**64
    if place < HELD_OUT:
        return "test"
    return "valid" if place < 2 * HELD_OUT else "train"


def shuffled(sentences: Iterable[str], seed: int = SEED) -> list[str]:
    """Unique sentences in an order given by a hash of seed and sentence."""
    return sorted(set(sentences), key=lambda sentence: hash_of(sentence, seed))


class NearDuplicates:
    """Which texts are one of the given ones, or one word put in, taken out or changed away.

    Example:
        >>> near = NearDuplicates([words_of("The cat is here.")])
        >>> words_of("the old cat is here") in near, words_of("The cat was there.") in near
        (True, False)
    """

    def __init__(self, texts: Iterable[Words]) -> None:
        self._texts = set(texts)
        self._shorter = {text[:k] + text[k + 1 :] for text in self._texts for k in range(len(text))}
        self._changed = {key for text in self._texts for key in _with_a_gap(text)}

    def __contains__(self, words: Words) -> bool:
        return (
            words in self._texts
            or words in self._shorter
            or any(key in self._changed for key in _with_a_gap(words))
            or any(words[:k] + words[k + 1 :] in self._texts for k in range(len(words)))
        )


def _with_a_gap(words: Words) -> Iterator[tuple[int, Words]]:
    """The text without each of its words in turn, and where the gap is."""
    return ((k, words[:k] + words[k + 1 :]) for k in range(len(words)))


def split(sentences: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Train, valid and test sentences, each in the order of their hashes.

    No sentence is a near-duplicate of one in another part.
    """
    parts: dict[str, list[tuple[str, Words]]] = {"train": [], "valid": [], "test": []}
    for sentence in shuffled(sentences):
        words = words_of(sentence)
        parts[part_of(words)].append((sentence, words))
    test = [sentence for sentence, _ in parts["test"]]
    held = NearDuplicates(words for _, words in parts["test"])
    kept_valid = [(sentence, words) for sentence, words in parts["valid"] if words not in held]
    held_too = NearDuplicates(words for _, words in kept_valid)
    train = [s for s, words in parts["train"] if words not in held and words not in held_too]
    return train, [sentence for sentence, _ in kept_valid], test


def clean(texts: Sequence[str], train: Iterable[str]) -> list[bool]:
    """For each text whether no training text is a near-duplicate of it."""
    asked = [words_of(text) for text in texts]
    near = NearDuplicates(asked)
    # Near is near both ways: only these few can be near-duplicates of a text.
    known = NearDuplicates(words for words in map(words_of, train) if words in near)
    return [words not in known for words in asked]
