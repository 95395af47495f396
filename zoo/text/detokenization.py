"""Tokens back to text as a reader expects it: a few rules, the same for `re` and RE2."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from zoo.text import bpe
from zoo.text.carry_rules import SYMBOLS

Rules: TypeAlias = tuple[tuple[str, str], ...]

# Each rule is (pattern, replacement) in the syntax that Python's re and RE2 share.
RULES: Rules = (
    (r'" ([^"]*) "', r'"\1"'),  # quotes around what they quote
    (r'^" ', r'"'),  # a quote that is not closed, at the start
    (r"„ ([^„“”]*) ([“”])", r"„\1\2"),  # German quotes
    (r"“ ([^„“”]*) ”", r"“\1”"),
    (r"([«»]) ([^«»]*) ([«»])", r"\1\2\3"),  # French ones, and German ones of books
    (r" ([.,!?;:%)\]}…])", r"\1"),  # nothing before closing punctuation
    (r"([(\[{¿¡‚‘]) ", r"\1"),  # nothing after opening punctuation
    (r"([$£€¥#]) ([0-9])", r"\1\2"),  # $5
    (r"([0-9]): ([0-9][0-9])", r"\1:\2"),  # 2:30
    (r"(^| )([AaPpUuEeIi])\. ([MmSsGgEe])\.", r"\1\2.\3."),  # p.m., U.S., e.g., i.e.
    (r" ([-/]) ", r"\1"),  # twenty-five, and/or
    (r"-(und|oder|bzw) ", r"- \1 "),  # Nord- und Ostsee
    (r" ' ", r"' "),  # the dogs' tails
    (r" n't( |$)", r"n't\1"),  # do n't, as some corpora cut it
)
# Pieces are put together first; no word starts with the mark, since "#" is a word of its own.
SUBWORD_RULES: Rules = ((f" {bpe.MARK}", ""), (f"^{bpe.MARK}", ""), *RULES)

# For vocabularies with placeholders (zoo.text.carrying), which stand for numbers and names.
_SYMBOL = f"[{SYMBOLS[0]}-{SYMBOLS[-1]}]"
CARRYING_RULES: Rules = (
    (f"({_SYMBOL}) ' s( |$)", r"\1's\2"),
    *SUBWORD_RULES,
    (f"([$£€¥#]) ({_SYMBOL})", r"\1\2"),
)


@cache
def _compiled(rules: Rules) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), replacement) for pattern, replacement in rules]


def join_tokens(tokens: Sequence[str], rules: Rules = RULES) -> str:
    """Tokens as running text: with spaces between, then the rules one after another.

    Example:
        >>> join_tokens(["he", "said", ",", '"', "no", "!", '"'])
        'he said, "no!"'
    """
    text = " ".join(tokens)
    for pattern, replacement in _compiled(rules):
        text = pattern.sub(replacement, text)
    return text


# The end of a text that the next tokens may write otherwise: p. (p.m.), " -" (twenty-five), n't,
# an apostrophe, and what stands between these and the end.
UNSETTLED = re.compile(
    r"(?:(?:[ ]?n't|[ ]?'|- (?:und|oder|bzw)|[ ]?[-/]\S*)+|(?:^|[ ])\S\.(?:[ ]\S)?|[ ]n(?:'t?)?)$"
)
PAIRED = ('"', "«»")
OPENED = (("„", "“”"), ("“", "”"))
QUOTES = '"«»„“”'


def settled_length(text: str) -> int:
    """How much of a text stays as it is whatever tokens follow.

    Example:
        >>> settled_length("at nine p."), settled_length('he said "no')
        (7, 7)
    """
    end = unsettled.start() if (unsettled := UNSETTLED.search(text)) else len(text)
    if any(unclosed(text, marks) for marks in PAIRED) or any(
        text.rfind(opening) > max(map(text.rfind, closing)) for opening, closing in OPENED
    ):  # quotes within quotes are joined in another order once all are closed
        end = min(end, *(place for mark in QUOTES if (place := text.find(mark)) >= 0))
    return len(text[:end].rstrip())


def unclosed(text: str, marks: str) -> bool:
    """Whether a quote is open, of marks that open and close alike."""
    places = iter([i for i, character in enumerate(text) if character in marks])
    for opening in places:
        after = text[opening + 1 : opening + 2]
        # What is closed has been joined to what it quotes, but for a pair around nothing.
        if not after.strip() or after in QUOTES or next(places, None) is None:
            return True
    return False
