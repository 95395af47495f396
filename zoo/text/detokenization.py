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
