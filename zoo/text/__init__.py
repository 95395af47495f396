"""Tokenizers and vocabularies: the same ids in Python and in a TensorFlow graph.

vocabulary      words by id, and the file of them
segmentation    text -> words, by the tables of `codepoints`
bpe             words -> pieces
detokenization  tokens -> text
prefixes        half-typed words -> words
tokenizer       what all tokenizers share; `word` and `subword` are the two
padding         rows of ids -> one array
graph/          the same in TensorFlow operations, above all of these
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.text.subword import SubwordTokenizer
from zoo.text.tokenizer import Tokenizer, read_tokenizer_file
from zoo.text.vocabulary import BOS, EOS, PAD, UNK, VOCABULARY_FILE, read_vocabulary
from zoo.text.word import WordTokenizer

# A fixed list: a file that names another class is refused, not imported.
TOKENIZERS: dict[str, type[Tokenizer]] = {
    "WordTokenizer": WordTokenizer,
    "SubwordTokenizer": SubwordTokenizer,
}


def load_tokenizer(directory: str | Path) -> Tokenizer:
    """The tokenizer saved in a directory, of whichever class its tokenizer.json names."""
    folder = Path(directory)
    name, config = read_tokenizer_file(folder)
    return tokenizer_class(name, str(folder)).from_config(
        config, read_vocabulary(folder / VOCABULARY_FILE)
    )


def tokenizer_class(name: str, source: str) -> type[Tokenizer]:
    """The class of a tokenizer that a file names; one of the list, or an error with `source`."""
    if name not in TOKENIZERS:
        raise ZooError(f"{source}: unknown tokenizer {name!r:.80}; known: {', '.join(TOKENIZERS)}")
    return TOKENIZERS[name]


def tokenizer_config(tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer as plain values for JSON, its vocabulary too; `tokenizer_of` reads them."""
    return {
        "class": type(tokenizer).__name__,
        "config": tokenizer.get_config(),
        "vocabulary": list(tokenizer.vocabulary),
    }


def tokenizer_of(config: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a `tokenizer_config`.

    Raises:
        ZooError: it is none.
    """
    parts = dict(config or {})
    name, settings, vocabulary = (parts.get(key) for key in ("class", "config", "vocabulary"))
    if not (isinstance(name, str) and isinstance(settings, dict) and isinstance(vocabulary, list)):
        raise ZooError("the model's config has no tokenizer; save the model again")
    if not all(isinstance(word, str) for word in vocabulary):
        raise ZooError("the vocabulary in the model's config is no list of words; save it again")
    return tokenizer_class(name, "the model's config").from_config(settings, vocabulary)


__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "UNK",
    "SubwordTokenizer",
    "Tokenizer",
    "WordTokenizer",
    "load_tokenizer",
    "tokenizer_config",
    "tokenizer_of",
]
