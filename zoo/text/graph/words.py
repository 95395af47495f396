"""The word tokenizer inside a TensorFlow graph."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from zoo.text.graph.segmentation import WordCutter, joined_text
from zoo.text.vocabulary import EOS, UNK, VOCABULARY_FILE, write_vocabulary
from zoo.text.word import WordTokenizer


class GraphWordTokenizer(tf.Module):
    """`WordTokenizer.encode` and `decode` on tensors; the vocabulary file is an asset."""

    def __init__(self, tokenizer: WordTokenizer) -> None:
        super().__init__()
        self.rules = tokenizer.rules
        self.cut = WordCutter(tokenizer)
        self.vocabulary_asset = vocabulary_asset(tokenizer.vocabulary)
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.vocabulary_asset.asset_path,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            default_value=UNK,
        )
        self.vocabulary = tf.Variable(list(tokenizer.vocabulary), trainable=False, dtype=tf.string)

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Tokens of each text: string [batch] -> ragged string [batch, None]."""
        words = self.cut(texts)
        return ragged(words.strings(), words.text_splits)

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of each text: string [batch] -> ragged int32 [batch, None]."""
        words = self.cut(texts)
        return ragged(self.lookup(words.strings()), words.text_splits)

    def lookup(self, tokens: tf.Tensor) -> tf.Tensor:
        """Ids of tokens, as `tokenize` gives them: string [tokens] -> int32 [tokens]."""
        ids = tf.cast(self.table.lookup(tokens), tf.int32)
        return tf.where(ids <= EOS, UNK, ids)

    def decode(self, ids: tf.Tensor) -> tf.Tensor:
        """Text of ids up to `<eos>` or padding: int32 [..., time] -> string [...]."""
        return joined_text(self.vocabulary, ids, self.rules)


def ragged(values: tf.Tensor, splits: tf.Tensor) -> tf.RaggedTensor:
    """Rows from where each starts; the splits are right by construction and not checked."""
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def vocabulary_asset(vocabulary: Sequence[str]) -> tf.saved_model.Asset:
    """The vocabulary as a file that an export carries along, gone when Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="zoo-vocabulary-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_vocabulary(folder / VOCABULARY_FILE, vocabulary)
    return tf.saved_model.Asset(str(folder / VOCABULARY_FILE))
