"""Normal forms of Unicode text, and the tables from which a graph makes the same ones.

Text that looks alike can be written in several ways: `ü` is one code point or a `u` and a mark.
NFC writes it in the shortest way; NFKC moreover replaces the forms that Unicode keeps for older
encodings (the ligature fi, full-width letters) by plain ones. Both are frozen: a text of code
points that a version of Unicode knows has the same normal form in all later ones.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal, NamedTuple, TypeAlias, cast, get_args

import numpy as np

from zoo.errors import ZooError

Form: TypeAlias = Literal["NFC", "NFKC"]
FORMS: tuple[Form, ...] = get_args(Form)
NORMALIZATIONS = (*FORMS, "none")
# Syllables of Hangul are composed by arithmetic: first code points and numbers of the letters.
LEADS, VOWELS, TAILS, SYLLABLES = 0x1100, 0x1161, 0x11A7, 0xAC00
LEAD_COUNT, VOWEL_COUNT, TAIL_COUNT = 19, 21, 28
SYLLABLE_COUNT = LEAD_COUNT * VOWEL_COUNT * TAIL_COUNT
POINT_BITS = 21  # of a code point


def checked_normalization(name: str) -> str:
    """The name of a normal form, or "none"."""
    if name not in NORMALIZATIONS:
        raise ZooError(f"normalization={name!r}: use 'NFC', 'NFKC' or 'none'")
    return name


def normalize(text: str, normalization: str) -> str:
    """A text in a normal form; "none" leaves it as it is."""
    if normalization == "none" or text.isascii():
        return text
    return unicodedata.normalize(cast(Form, normalization), text)


def normalization_of(words: Iterable[str]) -> str:
    """NFC, or "none" for words of other tools that are not all in it: they would never be met."""
    return "NFC" if all(unicodedata.is_normalized("NFC", word) for word in words) else "none"


class Decompositions(NamedTuple):
    """Code points that are written as others or are marks; a last row above all code points.

    Attributes:
        points: the code points, in order; [rows] int32.
        marks: the combining class, 0 for what is no mark; [rows] int32.
        starts, lengths: where in `parts` the code points are that it is written as; [rows] int32.
        parts: all decompositions, one behind another; int32.
    """

    points: np.ndarray
    marks: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    parts: np.ndarray


@cache
def decompositions(form: Form) -> Decompositions:
    """All full decompositions of NFD or NFKD, but for the syllables of Hangul."""
    decomposed = cast(Literal["NFD", "NFKD"], form.replace("C", "D"))
    rows, parts = [], ""
    for point in _written_otherwise():
        written = unicodedata.normalize(decomposed, chr(point))
        mark = unicodedata.combining(chr(point))
        if mark or written != chr(point):
            rows.append((point, mark, len(parts), len(written)))
            parts += written
    rows.append((sys.maxunicode + 1, 0, 0, 1))  # so that a search never runs off the end
    points, marks, starts, lengths = np.array(rows, dtype=np.int32).T
    letters = np.array([ord(letter) for letter in parts], dtype=np.int32)
    return Decompositions(points, marks, starts, lengths, letters)


@cache
def compositions() -> tuple[np.ndarray, np.ndarray]:
    """Pairs as sorted keys `left << 21 | right`, and what each makes: both int64 [pairs + 1].

    The last key is larger than any pair's. Syllables of Hangul are not among them.
    """
    rows = []
    for point in _written_otherwise():
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) != 2 or parts[0].startswith("<"):
            continue
        left, right = (int(part, 16) for part in parts)
        if unicodedata.normalize("NFC", chr(left) + chr(right)) == chr(point):
            rows.append((left << POINT_BITS | right, point))
    rows.sort()
    rows.append((np.iinfo(np.int64).max, 0))
    keys, made = zip(*rows, strict=True)
    return np.array(keys, dtype=np.int64), np.array(made, dtype=np.int64)


@cache
def unsettled(form: Form) -> np.ndarray:
    """Code points without which every text is in the normal form; [code points] bool.

    They are those that are written otherwise, marks, and what may join the letter before it.
    """
    table = np.zeros(sys.maxunicode + 1, dtype=bool)
    for point in _written_otherwise():
        letter = chr(point)
        table[point] = unicodedata.combining(letter) or not unicodedata.is_normalized(form, letter)
    keys, _ = compositions()
    table[keys[:-1] & ((1 << POINT_BITS) - 1)] = True
    table[VOWELS : VOWELS + VOWEL_COUNT] = True
    table[TAILS + 1 : TAILS + TAIL_COUNT] = True
    return table


def _written_otherwise() -> Iterator[int]:
    """Code points that have a decomposition or a combining class."""
    for point in range(sys.maxunicode + 1):
        letter = chr(point)
        if unicodedata.decomposition(letter) or unicodedata.combining(letter):
            yield point
