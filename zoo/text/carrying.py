"""Numbers, codes, addresses and names are carried over by placeholders, never by the model.

A source's numbers, times, dates, prices, codes, addresses and names behind a title are taken out by
rule, and the model reads a placeholder in place of each, a token like any other. In the translation
the placeholders become what they stand for, written as the target language writes it. What
a translation has no placeholder for is not lost but put behind it in brackets.

    "Es kostet 1.234,50 €."  ->  "Es kostet <1>."  ->  "It costs <1>."  ->  "It costs €1,234.50."
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from zoo.errors import ZooError
from zoo.text.carry_rules import (
    CLEAN,
    CLOSE,
    COUNT,
    CURLY,
    DIRECTIONS,
    OPEN,
    SYMBOLS,
    CarryRules,
    Language,
    Rules,
)

CAPITALS = "(?s)[^a-zß-öø-ÿ]*[A-ZÀ-ÖØ-Þ]{2}[^a-zß-öø-ÿ]*"  # all of a text
_ORDINAL = re.compile(r"(?<=[0-9])(?:\.|st|nd|rd|th)$")


@dataclass(frozen=True)
class Carried:
    """A source as the model reads it, and what its placeholders stand for, in order."""

    text: str
    values: tuple[str, ...] = ()
    curly: bool = False  # whether it writes quotes in its language's own way


class Carrier:
    """Takes out of a source what is carried over, and puts it into the translation.

    Args:
        rules: of the direction of translation; see `carrier_of`.

    Example:
        >>> carrier = carrier_of("de_en")
        >>> carried = carrier.prepared("Das kostet 1.234,50 €.")
        >>> carried.values
        ('€1,234.50',)
        >>> carrier.restored(carried.text.replace("Das kostet", "It costs"), carried)
        'It costs €1,234.50.'
    """

    def __init__(self, rules: CarryRules) -> None:
        self.rules = rules

    def prepared(self, text: str) -> Carried:
        """The source as the model reads it: placeholders, straight quotes, no capitals alone."""
        curly = re.fullmatch(CURLY, text) is not None
        words, values = self._source_parts(text)
        fit = len(values[:COUNT])
        text = words[0]
        for k, (value, behind) in enumerate(zip(values, words[1:], strict=True)):
            text += (SYMBOLS[k] if k < fit else value) + behind
        return Carried(without_capitals(text), tuple(map(self.converted, values[:fit])), curly)

    def restored(self, translation: str, carried: Carried, mark_lost: bool = True) -> str:
        """A translation with what its placeholders stand for; what it lacks, in brackets."""
        if carried.curly or self.always_curly:
            translation = applied(self.rules.target.quotes, translation)
        values = dict(zip(SYMBOLS, carried.values, strict=False))
        lost = [value for symbol, value in values.items() if symbol not in translation]
        for symbol in SYMBOLS:
            translation = translation.replace(symbol, values.get(symbol, ""))
        translation = applied(self.rules.target.last, translation)
        if not mark_lost or not lost:
            return translation
        return " ".join([*([translation] if translation else []), *[f"[{v}]" for v in lost]])

    @property
    def always_curly(self) -> bool:
        """Whether the target language never writes straight quotes."""
        return self.rules.target.quotes[0][1].startswith("„")

    def converted(self, value: str) -> str:
        """What is carried over, written as the target language writes it."""
        return applied(self.rules.values, value)

    def paired(self, source: str, target: str, symbols: Sequence[str] = SYMBOLS) -> tuple[str, str]:
        """A source and its translation with placeholders for what both have.

        Args:
            symbols: the placeholders to use, in the order of the source.
        """
        words, values = self._source_parts(source)
        target_words, target_values = cut(normal(target, self.rules.target), self.rules.target)
        places = [_key(value) for value in target_values]
        shown = list(target_values)
        free = list(symbols)
        for k, value in enumerate(values):
            key = _key(self.converted(value))
            if key in places and free:
                place = places.index(key)
                places[place] = ""
                values[k] = shown[place] = free.pop(0)
        return without_capitals(joined(words, values)), joined(target_words, shown)

    def _source_parts(self, text: str) -> tuple[list[str], list[str]]:
        """The words around what is carried over, and that itself."""
        text = applied(self.rules.convert, normal(text, self.rules.source))
        return cut(text, self.rules.source)


@cache
def carrier_of(direction: str) -> Carrier:
    """The carrier of a direction: "de_en" or "en_de".

    Raises:
        ZooError: there are no rules for the direction.
    """
    if direction not in DIRECTIONS:
        raise ZooError(f"carry_over={direction!r}: use {', '.join(DIRECTIONS)} or null")
    return Carrier(DIRECTIONS[direction])


def applied(rules: Rules, text: str) -> str:
    """A text after one rule after another."""
    for pattern, new in rules:
        text = compiled(pattern).sub(new, text)
    return text


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as RE2 reads it: `\\b` and `\\W` know ASCII alone."""
    return re.compile(pattern, re.ASCII)


def normal(text: str, language: Language) -> str:
    """A text without what no rule should meet, in the language's usual way of writing."""
    return applied(language.normal, applied(CLEAN, text))


def cut(text: str, language: Language) -> tuple[list[str], list[str]]:
    """The words around what is carried over (one more than those), and that itself."""
    first, *marked = applied(language.marks, text).split(OPEN)
    pieces = [piece.partition(CLOSE) for piece in marked]
    return [first, *[behind for _, _, behind in pieces]], [value for value, _, _ in pieces]


def joined(words: Sequence[str], values: Sequence[str]) -> str:
    """The inverse of `cut`."""
    return words[0] + "".join(v + behind for v, behind in zip(values, words[1:], strict=True))


def without_capitals(text: str) -> str:
    """A text that is all capitals in lower case, since capitals alone tell nothing."""
    return text.lower() if re.fullmatch(CAPITALS, text) else text


def _key(value: str) -> str:
    """What two languages have in common: ordinals are not written alike."""
    return _ORDINAL.sub("", value)
