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

from pathlib import Path

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
    if name not in TOKENIZERS:
        raise ZooError(f"{folder}: unknown tokenizer {name!r}; known: {', '.join(TOKENIZERS)}")
    return TOKENIZERS[name].from_config(config, read_vocabulary(folder / VOCABULARY_FILE))


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
