"""Tokenizers and vocabularies: the same ids in Python and in a TensorFlow graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.text.subword import SubwordTokenizer
from zoo.text.tokenizer import Tokenizer, read_tokenizer_file
from zoo.text.vocabulary import BOS, EOS, PAD, UNK
from zoo.text.word import WordTokenizer

TOKENIZERS: dict[str, Any] = {
    "WordTokenizer": WordTokenizer,
    "SubwordTokenizer": SubwordTokenizer,
}


def load_tokenizer(directory: str | Path) -> Any:
    """The tokenizer saved in a directory, of whichever class its tokenizer.json names."""
    name = read_tokenizer_file(Path(directory)).get("class")
    if name not in TOKENIZERS:
        raise ZooError(f"{directory}: unknown tokenizer {name!r}; known: {', '.join(TOKENIZERS)}")
    return TOKENIZERS[name].load(directory)


__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "UNK",
    "SubwordTokenizer",
    "Tokenizer",
    "WordTokenizer",
    "load_tokenizer",
]
