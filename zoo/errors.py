"""The one exception that public entry points raise for bad input, and what it suggests."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZooError(ValueError):
    """Bad input or usage: the message names the value received and the remedy."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What to say after a name that is not known: the one it resembles, or nothing.

    Example:
        >>> did_you_mean("lstm_tatoeba", ["gru_tatoeba_en", "lstm_tatoeba_en"])
        "; did you mean 'lstm_tatoeba_en'?"
        >>> did_you_mean("qqq", ["lstm_tatoeba_en"])
        ''
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
