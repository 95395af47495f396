"""Vocabularies: one word a line, the four control tokens first, read and written with care."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from zoo.errors import ZooError
from zoo.io import write_atomically

PAD, UNK, BOS, EOS = range(4)
CONTROL_TOKENS = ("<pad>", "<unk>", "<bos>", "<eos>")
VOCABULARY_FILE = "vocabulary.txt"


def most_frequent(counts: Counter[str], size: int | None, min_count: int) -> tuple[str, ...]:
    """The control tokens and the commonest words; equal counts in alphabetical order.

    Args:
        counts: how often each word occurs.
        size: entries in all, control tokens included; None for no limit.
        min_count: rarer words are left out.
    """
    if size is not None and size <= len(CONTROL_TOKENS):
        raise ZooError(f"vocabulary size {size!r}: give at least 5, four are control tokens")
    words = sorted(
        (word for word, count in counts.items() if count >= min_count and is_storable(word)),
        key=lambda word: (-counts[word], word),
    )
    free = None if size is None else size - len(CONTROL_TOKENS)
    return (*CONTROL_TOKENS, *[word for word in words if word not in CONTROL_TOKENS][:free])


def is_storable(word: str) -> bool:
    """Whether a word can be a line of a UTF-8 text file."""
    if not word or any(character in word for character in "\0\n\r"):
        return False
    return word.isascii() or not any("\ud800" <= character <= "\udfff" for character in word)


class Vocabulary(tuple[str, ...]):
    """Words by id that were checked, once: a vocabulary of a vocabulary is itself.

    Args:
        words: the words, the control tokens first.
        source: what to name where something is wrong with them.

    Raises:
        ZooError: the control tokens are not first, or a word is there twice or is none.
    """

    __slots__ = ()

    def __new__(cls, words: Iterable[str], source: str = "vocabulary") -> Self:
        if isinstance(words, cls):
            return words
        vocabulary = super().__new__(cls, words)
        _check(vocabulary, source)
        return vocabulary


def _check(vocabulary: Sequence[str], source: str) -> None:
    if tuple(vocabulary[: len(CONTROL_TOKENS)]) != CONTROL_TOKENS:
        raise ZooError(f"{source} does not start with {' '.join(CONTROL_TOKENS)}, one a line")
    seen: set[str] = set()
    for number, word in enumerate(vocabulary, 1):
        if word in seen:
            raise ZooError(f"{source}, line {number}: {word!r} stands there twice")
        if not is_storable(word):
            raise ZooError(f"{source}, line {number}: {word!r} is not a word")
        seen.add(word)


def read_vocabulary(path: Path) -> Vocabulary:
    """The words of a vocabulary file."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ZooError(f"{path} is missing; save the tokenizer again") from None
    except OSError as error:
        raise ZooError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ZooError(f"{path} is not UTF-8 (byte {error.start}); save it again") from None
    if not text.endswith("\n"):
        raise ZooError(f"{path} is cut off in its last line; save the tokenizer again")
    return Vocabulary(text[:-1].split("\n"), str(path))


def write_vocabulary(path: Path, vocabulary: Sequence[str]) -> None:
    """One word a line."""
    write_atomically(path, "".join(f"{word}\n" for word in vocabulary))
