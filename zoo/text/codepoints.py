"""Character classes and lower-casing as explicit tables, the same in Python and in a graph.

Regular-expression classes and `lower()` follow the Unicode version of whoever runs them, and
`lower()` looks at context (final sigma) and may lengthen a string (dotted capital I). The tables
here map one code point to one code point, are built from Python's `unicodedata`, and are what a
TensorFlow graph carries along.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np

CODE_POINTS = sys.maxunicode + 1
PAGE = 256
SYMBOL, WORD, DIGIT, SPACE, CONTROL, APOSTROPHE, POINT, IGNORED = range(8)
BREAK = 0x200B  # zero-width space: where a word may end
JOINERS = (0x200C, 0x200D)  # zero-width (non-)joiners belong to the words they stand in
# What chooses the form of the character before it, and is not seen itself.
SELECTORS = (
    0x34F,
    *range(0x180B, 0x180E),
    0x180F,
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
)
CURLY_APOSTROPHE = 0x2019
ASCII_SPACES = " \t\n\r"


@cache
def classes() -> np.ndarray:
    """The class of each code point; [CODE_POINTS] uint8.

    Letters, marks and numbers make words. White space (what `str.split` splits at) separates;
    control characters, the zero-width space and surrogates separate words too, but not the tokens
    of a corpus that is tokenised already. Other format characters (soft hyphens, word joiners,
    marks of direction and of byte order) and variation selectors are not seen and do not cut a
    word, as in UAX #29, WB4. Anything else, unassigned code points (the emoji of next year)
    among them, is a token of its own.
    """
    table = np.full(CODE_POINTS, SYMBOL, dtype=np.uint8)
    for point in range(CODE_POINTS):
        category = unicodedata.category(chr(point))
        if category == "Nd":
            table[point] = DIGIT
        elif category[0] in "LMN":
            table[point] = WORD
        elif chr(point).isspace():
            table[point] = SPACE
        elif category == "Cf":
            table[point] = IGNORED
        elif category in ("Cc", "Cs"):
            table[point] = CONTROL
    table[BREAK] = CONTROL
    table[list(SELECTORS)] = IGNORED
    table[list(JOINERS)] = WORD
    table[ord("'")] = APOSTROPHE
    table[[ord("."), ord(",")]] = POINT
    return table


@cache
def classes_between_spaces() -> np.ndarray:
    """SPACE for `ASCII_SPACES` and WORD for all else; [CODE_POINTS] uint8."""
    table = np.full(CODE_POINTS, WORD, dtype=np.uint8)
    table[[ord(space) for space in ASCII_SPACES]] = SPACE
    return table


@cache
def folds(lowercase: bool) -> np.ndarray:
    """What each code point is read as: curly apostrophes straight, letters lower; int32."""
    table = np.arange(CODE_POINTS, dtype=np.int32)
    if lowercase:
        for point in range(CODE_POINTS):
            lower = chr(point).lower()
            if len(lower) == 1:
                table[point] = ord(lower)
    table[CURLY_APOSTROPHE] = ord("'")
    return table


def paged(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A table over all code points as distinct pages and the page number of each 256 points.

    Returns:
        page numbers [CODE_POINTS / 256] int32 and pages [distinct, 256], so that
        `table[p] == pages[numbers[p // 256], p % 256]`.
    """
    pages, numbers = np.unique(table.reshape(-1, PAGE), axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.int32), pages
