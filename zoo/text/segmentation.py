"""How text is cut into tokens, in Python; `zoo.text.graph.words` does the same in TensorFlow.

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
from zoo.text.normalization import normalize

# One letter a class; a text is read as its classes, so that no expression depends on Unicode.
_KINDS = {
    codepoints.SYMBOL: "s",
    codepoints.WORD: "w",
    codepoints.DIGIT: "0",
    codepoints.SPACE: " ",
    codepoints.CONTROL: " ",
    codepoints.IGNORED: " ",
    codepoints.APOSTROPHE: "'",
    codepoints.POINT: ".",
}
_TOKEN_KINDS = re.compile(r"[w0]+(?:(?:'|(?<=0)\.(?=0))[w0]+)*|[^w0 ]")
# The same for ASCII text itself, several times faster.
_ASCII_TOKENS = re.compile(
    r"[0-9A-Za-z]+(?:(?:'|(?<=[0-9])[.,](?=[0-9]))[0-9A-Za-z]+)*|[^0-9A-Za-z\x00-\x20\x7f]"
)
_BETWEEN_SPACES = re.compile(f"[^{codepoints.ASCII_SPACES}]+")


@cache
def _kind_table() -> str:
    """The letter of each code point's class: a table for `str.translate`."""
    return "".join(map(_KINDS.__getitem__, codepoints.classes().tolist()))


@cache
def _fold_table(lowercase: bool) -> str:
    """What each code point is read as: a table for `str.translate`."""
    return "".join(map(chr, codepoints.folds(lowercase).tolist()))


@cache
def _ignored() -> re.Pattern[str]:
    """Characters that are not seen."""
    points = np.flatnonzero(codepoints.classes() == codepoints.IGNORED)
    return re.compile(f"[{''.join(map(chr, points.tolist()))}]+")


def without_ignored(text: str) -> str:
    """A text without soft hyphens and other characters that are not seen."""
    return text if text.isascii() else _ignored().sub("", text)


def fold(text: str, lowercase: bool) -> str:
    """Straight apostrophes and, if wanted, lower case: one character for one."""
    if text.isascii():
        return text.lower() if lowercase else text
    return text.translate(_fold_table(lowercase))


def prepare(text: str, lowercase: bool, split: str, normalization: str) -> str:
    """The text that words are cut from: normalised, folded, without what is not seen.

    It is normalised once more behind the folding: a capital may lack the composed form that its
    small letter has. The words of a tokenised corpus keep what is not seen, and their apostrophes
    if they keep their capitals.
    """
    if text.isascii():
        return text.lower() if lowercase else text
    at_words = split == "words"
    text = normalize(without_ignored(text) if at_words else text, normalization)
    if not lowercase:
        return fold(text, False) if at_words else text
    return normalize(fold(text, True), normalization)


def split_words(text: str) -> list[str]:
    """Words and punctuation of folded text."""
    if text.isascii():
        return _ASCII_TOKENS.findall(text)
    kinds = text.translate(_kind_table())
    return [text[found.start() : found.end()] for found in _TOKEN_KINDS.finditer(kinds)]


def split_whitespace(text: str) -> list[str]:
    """What white space separates, for corpora that are tokenised already."""
    return text.split()


def split_spaces(text: str) -> list[str]:
    """What space, tab and line ends separate, as KenLM reads text; other spaces are letters."""
    return _BETWEEN_SPACES.findall(text)
