"""How text is cut into tokens, in Python; `zoo.text.graph` does the same in TensorFlow.

A token is a maximal run of word characters (letters, marks, digits), where an apostrophe between
two word characters and a point or comma between two digits count as word characters; any other
character that is not a separator is a token of its own.

    "Don't pay 1,000.50 (yet)!"  ->  don't pay 1,000.50 ( yet ) !
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from zoo.text import codepoints


def _character_class(wanted: tuple[int, ...]) -> str:
    """The inside of a regular expression's [...] for all code points of the wanted classes."""
    member = np.isin(codepoints.classes(), wanted)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], member, [False]]).astype(np.int8)))
    pairs = edges.reshape(-1, 2)
    return "".join(f"\\U{first:08x}-\\U{end - 1:08x}" for first, end in pairs)


@cache
def _token_pattern() -> re.Pattern[str]:
    word = _character_class((codepoints.WORD, codepoints.DIGIT))
    digit = _character_class((codepoints.DIGIT,))
    space = _character_class((codepoints.SPACE,))
    joined = f"'(?=[{word}])|(?<=[{digit}])[.,](?=[{digit}])"
    return re.compile(f"[{word}](?:[{word}]|{joined})*|[^{word}{space}]")


@cache
def _space_pattern() -> re.Pattern[str]:
    return re.compile(f"[{_character_class((codepoints.SPACE,))}]+")


@cache
def _fold_table(lowercase: bool) -> dict[int, int]:
    table = codepoints.folds(lowercase)
    changed = np.flatnonzero(table != np.arange(len(table)))
    return {int(point): int(table[point]) for point in changed}


def fold(text: str, lowercase: bool) -> str:
    """Straight apostrophes and, if wanted, lower case: one character for one."""
    return text.translate(_fold_table(lowercase))


def split_words(text: str) -> list[str]:
    """Words and punctuation of folded text."""
    return _token_pattern().findall(text)


def split_whitespace(text: str) -> list[str]:
    """What separators separate, for corpora that are tokenised already."""
    return [token for token in _space_pattern().split(text) if token]
