"""The word tokenizer inside a TensorFlow graph, of core ops only.

It cuts the flat code points of a whole batch at once: each text gets a separator behind it, so
that looking at a code point's neighbours never looks into another text's words.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.text import codepoints
from zoo.text.detokenization import RULES
from zoo.text.vocabulary import BOS, EOS, PAD, UNK, VOCABULARY_FILE, write_vocabulary


class CodePointTable(tf.Module):
    """A table over all code points as two small arrays and two gathers."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        numbers, pages = codepoints.paged(table)
        # Variables, not constants: every signature of a SavedModel has its own copy of a constant.
        self.numbers = tf.Variable(numbers, trainable=False)
        self.entries = tf.Variable(pages.reshape(-1), trainable=False)

    def __call__(self, points: tf.Tensor) -> tf.Tensor:
        page = tf.gather(self.numbers, points // codepoints.PAGE)
        entry = page * codepoints.PAGE + points % codepoints.PAGE
        return tf.cast(tf.gather(self.entries, entry), tf.int32)


class GraphTokenizer(tf.Module):
    """`WordTokenizer.encode` and `decode` on tensors; the vocabulary file is an asset.

    Args:
        vocabulary, lowercase, split: as in `zoo.text.WordTokenizer`.
    """

    def __init__(self, vocabulary: Sequence[str], lowercase: bool, split: str) -> None:
        super().__init__()
        self.words = split == "words"
        self.shift = None
        if lowercase or self.words:
            # Distances, not letters: they are zero nearly everywhere, so few pages are distinct.
            points = np.arange(codepoints.CODE_POINTS, dtype=np.int32)
            self.shift = CodePointTable(codepoints.folds(lowercase) - points)
        self.classes = CodePointTable(codepoints.classes())
        self.vocabulary_asset = tf.saved_model.Asset(str(_vocabulary_file(vocabulary)))
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
        self.vocabulary = tf.Variable(list(vocabulary), trainable=False, dtype=tf.string)

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Tokens of each text: string [batch] -> ragged string [batch, None]."""
        ended = tf.strings.join([texts, " "])
        points = tf.strings.unicode_decode(ended, "UTF-8", errors="replace")
        flat = points.flat_values  # [characters of the batch]
        kinds = self.classes(flat)
        if self.shift is not None:
            flat += self.shift(flat)
            kinds = self.classes(flat) if self.words else kinds
        visible = kinds != codepoints.SPACE
        inside = self._inside_word(kinds) if self.words else visible
        starts = visible & ~(inside & _previous(inside))
        token_of = tf.cumsum(tf.cast(starts, tf.int64)) - 1
        tokens = tf.RaggedTensor.from_value_rowids(
            tf.boolean_mask(flat, visible),
            tf.boolean_mask(token_of, visible),
            nrows=tf.reduce_sum(tf.cast(starts, tf.int64)),
        )
        rows = tf.boolean_mask(points.value_rowids(), starts)
        return tf.RaggedTensor.from_value_rowids(
            tf.strings.unicode_encode(tokens, "UTF-8"), rows, nrows=points.nrows()
        )

    def _inside_word(self, kinds: tf.Tensor) -> tf.Tensor:
        """Where a word goes on: word characters and what joins two of them; [characters]."""
        digit = kinds == codepoints.DIGIT
        word = digit | (kinds == codepoints.WORD)
        apostrophe = (kinds == codepoints.APOSTROPHE) & _previous(word) & _next(word)
        point = (kinds == codepoints.POINT) & _previous(digit) & _next(digit)
        return word | apostrophe | point

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of each text: string [batch] -> ragged int32 [batch, None]."""
        tokens = self.tokenize(texts)
        ids = tf.cast(self.table.lookup(tokens.values), tf.int32)
        return tokens.with_values(tf.where(ids <= EOS, UNK, ids))

    def decode(self, ids: tf.Tensor) -> tf.Tensor:
        """Text of ids up to `<eos>` or padding: int32 [..., time] -> string [...]."""
        shape = tf.shape(ids)
        flat = tf.reshape(ids, [-1, shape[-1]])  # [texts, time]
        ended = tf.cumsum(tf.cast((flat == EOS) | (flat == PAD), tf.int32), axis=1) > 0
        words = tf.gather(self.vocabulary, flat)
        kept = tf.ragged.boolean_mask(words, ~ended & (flat != BOS))
        text = tf.strings.reduce_join(kept, axis=-1, separator=" ")
        for pattern, replacement in RULES if self.words else ():
            text = tf.strings.regex_replace(text, pattern, replacement)
        return tf.reshape(text, shape[:-1])


def _previous(flags: tf.Tensor) -> tf.Tensor:
    return tf.concat([tf.zeros_like(flags[:1]), flags[:-1]], axis=0)


def _next(flags: tf.Tensor) -> tf.Tensor:
    return tf.concat([flags[1:], tf.zeros_like(flags[:1])], axis=0)


def _vocabulary_file(vocabulary: Sequence[str]) -> Path:
    """The vocabulary as a file for the table to read, gone when Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="zoo-vocabulary-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_vocabulary(folder / VOCABULARY_FILE, vocabulary)
    return folder / VOCABULARY_FILE
