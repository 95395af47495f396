"""Typing errors: letters swapped, left out, doubled or hit beside, and umlauts written out."""

from __future__ import annotations

import re

import numpy as np

WORDS_A_TYPO = 8  # one typo in so many words, and at least one a text
SHORTEST = 4  # letters of a word that a typo leaves readable
_LONG = re.compile(rf"[^\W\d_]{{{SHORTEST},}}")
UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)
ROWS = ("qwertzuiopü", "asdfghjklöä", "yxcvbnm")
BESIDE = {
    letter: row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
    for row in ROWS
    for place, letter in enumerate(row)
}


def misspelt(text: str, rng: np.random.Generator) -> str:
    """A text with typing errors, or with its umlauts written out; at times unchanged."""
    written_out = text.translate(UMLAUTS)
    if written_out != text and rng.random() < 0.3:
        return written_out
    words = [(found.start(), found.end()) for found in _LONG.finditer(text)]
    if not words:
        return text
    count = min(len(words), -(-len(text.split()) // WORDS_A_TYPO))
    chosen = rng.choice(len(words), size=count, replace=False)
    for start, end in sorted((words[i] for i in chosen), reverse=True):
        text = text[:start] + with_typo(text[start:end], rng) + text[end:]
    return text


def with_typo(word: str, rng: np.random.Generator) -> str:
    """A word with one error behind its first letter."""
    kind = rng.integers(4)
    place = int(rng.integers(1, len(word) - (kind == 0)))
    if kind == 0:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind == 1:
        return word[:place] + word[place + 1 :]
    if kind == 2:
        return word[:place] + word[place] + word[place:]
    near = BESIDE.get(word[place], word[place])
    return word[:place] + near[int(rng.integers(len(near)))] + word[place + 1 :]
