"""Tokens back to text as a reader expects it: a few rules, the same for `re` and RE2."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Each rule is (pattern, replacement) in the syntax that Python's re and RE2 share.
RULES: tuple[tuple[str, str], ...] = (
    (r'" ([^"]*) "', r'"\1"'),  # quotes around what they quote
    (r" ([.,!?;:%)\]}…])", r"\1"),  # nothing before closing punctuation
    (r"([(\[{$£€¿¡]) ", r"\1"),  # nothing after opening punctuation
    (r" - ", r"-"),  # twenty-five
    (r" ' ", r"' "),  # the dogs' tails
)
_COMPILED = tuple((re.compile(pattern), replacement) for pattern, replacement in RULES)


def join_tokens(tokens: Sequence[str]) -> str:
    """Tokens as running text.

    Example:
        >>> join_tokens(["he", "said", ",", '"', "no", "!", '"'])
        'he said, "no!"'
    """
    text = " ".join(tokens)
    for pattern, replacement in _COMPILED:
        text = pattern.sub(replacement, text)
    return text
