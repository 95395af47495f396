"""Running text for models of pieces of words, and figures of it that compare.

Perplexity is of a token, and a piece is an easier one than a word. The same nats over the words of
the text, or over its characters, compare with any other model's:

    perplexity of a word = exp(nats / words)          bits of a character = nats / (characters ln 2)

Both count the end of each line as one. Where the corpus itself has `<unk>`, nobody knows what
stood there: it is read, and neither learnt nor counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from zoo.metrics import perplexity
from zoo.text import UNK, Tokenizer, segmentation

UNKNOWN = "<unk>"


def without_unknown(texts: Iterable[str]) -> list[str]:
    """The texts from which a vocabulary of pieces is made."""
    return [text.replace(UNKNOWN, " ") for text in texts]


def encoded_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of a text; for a model of pieces the corpus's own `<unk>` is one id."""
    if not tokenizer.has_pieces:
        return tokenizer.encode(text)
    first, *others = text.split(UNKNOWN)
    ids = tokenizer.encode(first)
    for part in others:
        ids += [UNK, *tokenizer.encode(part)]
    return ids


def comparable_rows(
    texts: Sequence[str], nats: float, common: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The same nats over the words and over the characters of a text."""
    known = without_unknown(texts)
    words = sum(len(segmentation.split_words(text)) + 1 for text in known)
    characters = sum(len(text) + 1 for text in texts)
    characters -= sum(len(UNKNOWN) * text.count(UNKNOWN) for text in texts)
    yield {**common, "metric": "word_perplexity", "value": perplexity(nats, words), "tokens": words}
    bits = nats / (characters * math.log(2))
    yield {**common, "metric": "bits_per_character", "value": bits, "tokens": characters}
