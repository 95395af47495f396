"""Ids of text that white space separates, by Polars: no Python object for each word."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache

import numpy as np

from zoo.text import EOS, UNK
from zoo.text.vocabulary import CONTROL_TOKENS

END = "\n"  # no token holds a line feed, so this word can only be the end of a sentence


class WhitespaceIds:
    """Turns sentences into ids with `<eos>` after each.

    Args:
        vocabulary: words by id; the names of the control tokens are read as unknown words.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        import polars as pl

        # Names with a space in them are found nowhere; "" is what lies between two spaces.
        words = [f"{i} " for i in range(len(CONTROL_TOKENS))]
        words[EOS] = END
        self.nothing = len(vocabulary)
        known = pl.Enum([*words, *vocabulary[len(words) :], ""])
        cut = pl.col("text") + f" {END}"
        found = cut.str.split(" ").explode().cast(known, strict=False)
        self.spaces = pl.col("text").str.contains(other_spaces()).any()
        self.ids = found.to_physical().fill_null(UNK)

    def __call__(self, sentences: Sequence[str]) -> np.ndarray:
        """The ids, int32; sentences must be valid Unicode (no lone surrogates)."""
        import polars as pl

        texts = pl.DataFrame({"text": sentences}, schema={"text": pl.String})
        if texts.select(self.spaces).item():
            plain = [" ".join(sentence.split()) for sentence in sentences]
            texts = pl.DataFrame({"text": plain}, schema={"text": pl.String})
        ids = texts.select(self.ids).to_series().to_numpy()
        return ids[ids != self.nothing].astype(np.int32)


@cache
def other_spaces() -> str:
    """A character class of what `str.split` splits at, but for the space."""
    spaces = [i for i in range(sys.maxunicode + 1) if chr(i).isspace() and chr(i) != " "]
    return "[" + "".join(f"\\x{{{i:x}}}" for i in spaces) + "]"
