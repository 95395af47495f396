"""Cutting text into words inside a TensorFlow graph, of core ops only.

The flat code points of a whole batch are cut at once: each text gets a separator behind it, so
that looking at a code point's neighbours never looks into another text's words. Bytes that are no
UTF-8 are read as Python's `errors="replace"` reads them. The raw ops are used because their
wrappers check at run time, with hundreds of ops, what holds by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.text import codepoints
from zoo.text.detokenization import RULES
from zoo.text.graph.normalization import Normalizer, kept
from zoo.text.normalization import FORMS, unsettled
from zoo.text.tokenizer import Tokenizer
from zoo.text.vocabulary import BOS, EOS, PAD

CLASS_MASK = 0b111  # eight classes
UNSETTLED = 0b1000  # a text without such code points is normalised, and all of it is seen
FLAG_BITS = 4


class CodePointTable(tf.Module):
    """A table over all code points as two small arrays and two gathers; int32."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        numbers, pages = codepoints.paged(table)
        # Variables, not constants: every signature of a SavedModel has its own copy of a constant.
        self.numbers = tf.Variable(numbers, trainable=False)
        self.entries = tf.Variable(pages.reshape(-1).astype(np.int32), trainable=False)

    def __call__(self, points: tf.Tensor) -> tf.Tensor:
        page = tf.gather(self.numbers, points // codepoints.PAGE)
        return tf.gather(self.entries, page * codepoints.PAGE + points % codepoints.PAGE)


class Words(NamedTuple):
    """The words of a batch of texts as flat arrays.

    Attributes:
        points: folded code points of all words, one behind another; [characters] int32.
        word_splits: where each word starts in `points`, and the end; [words + 1] int64.
        text_splits: where each text starts among the words, and the end; [batch + 1] int64.
    """

    points: tf.Tensor
    word_splits: tf.Tensor
    text_splits: tf.Tensor

    def strings(self) -> tf.Tensor:
        """The words as text; [words] string."""
        return tf.raw_ops.UnicodeEncode(
            input_values=self.points,
            input_splits=self.word_splits,
            output_encoding="UTF-8",
            errors="replace",
        )


class WordCutter(tf.Module):
    """Preparing and cutting a tokenizer's texts, on tensors."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.at_words = tokenizer.split == "words"
        points = np.arange(codepoints.CODE_POINTS, dtype=np.int32)
        folded = codepoints.folds(tokenizer.lowercase)
        if not (tokenizer.lowercase or self.at_words):
            folded = points
        spaces_only = tokenizer.split == "spaces"
        classes = codepoints.classes_between_spaces() if spaces_only else codepoints.classes()
        flags = (classes == codepoints.IGNORED) & self.at_words
        self.lowercase, self.normalizer = tokenizer.lowercase, None
        for form in FORMS:
            if form == tokenizer.normalization:
                flags = flags | unsettled(form)
                self.normalizer = Normalizer(form)
        # How far to the folded letter, not which: that is zero nearly everywhere, so few pages
        # are distinct. One look-up gives the distance, the folded letter's class and the flag.
        shifts = (folded - points) << FLAG_BITS
        self.table = CodePointTable(shifts | classes[folded] | np.where(flags, UNSETTLED, 0))

    def __call__(self, texts: tf.Tensor) -> Words:
        """Cut texts: string [batch] -> `Words`."""
        points, entries, splits = self._prepared(texts)
        kinds = entries & CLASS_MASK
        points += tf.bitwise.right_shift(entries, FLAG_BITS)
        visible = kinds != codepoints.SPACE
        if self.at_words:
            visible &= kinds != codepoints.CONTROL
        inside = self._inside_word(kinds) if self.at_words else visible
        starts = visible & ~(inside & _previous(inside))
        seen = tf.where(visible)[:, 0]  # [visible characters]
        first = tf.gather(starts, seen)
        end = tf.shape(seen, out_type=tf.int64)
        words_before = tf.concat([[0], tf.cumsum(tf.cast(starts, tf.int64))], axis=0)
        return Words(
            tf.gather(points, seen),
            tf.concat([tf.where(first)[:, 0], end], axis=0),
            tf.gather(words_before, splits),
        )

    def _prepared(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Normalised code points, their entries of the table, and where the texts start.

        Most batches are normalised as they come, which costs one look at their flags.
        """
        decoded = tf.raw_ops.UnicodeDecode(
            input=tf.strings.join([texts, " "]), input_encoding="UTF-8", errors="replace"
        )
        points, splits = decoded.char_values, decoded.row_splits
        entries = self.table(points)  # [characters of the batch]
        if self.normalizer is None and not self.at_words:
            return points, entries, splits
        return tf.cond(
            tf.reduce_any(tf.bitwise.bitwise_and(entries, UNSETTLED) != 0),
            lambda: self._settled(points, entries, splits),
            lambda: (points, entries, splits),
        )

    def _settled(
        self, points: tf.Tensor, entries: tf.Tensor, splits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The same after all steps of `segmentation.prepare`; what is folded folds to itself."""
        if self.at_words:
            flags = entries & CLASS_MASK != codepoints.IGNORED
            points, splits = kept(points, splits, flags)
        if self.normalizer is not None:
            points, splits = self.normalizer(points, splits)
            if self.lowercase:
                points += tf.bitwise.right_shift(self.table(points), FLAG_BITS)
                points, splits = self.normalizer(points, splits)
        return points, self.table(points), splits

    def _inside_word(self, kinds: tf.Tensor) -> tf.Tensor:
        """Where a word goes on: word characters and what joins two of them; [characters]."""
        digit = kinds == codepoints.DIGIT
        word = digit | (kinds == codepoints.WORD)
        apostrophe = (kinds == codepoints.APOSTROPHE) & _previous(word) & _next(word)
        point = (kinds == codepoints.POINT) & _previous(digit) & _next(digit)
        return word | apostrophe | point


def _previous(flags: tf.Tensor) -> tf.Tensor:
    return tf.concat([tf.zeros_like(flags[:1]), flags[:-1]], axis=0)


def _next(flags: tf.Tensor) -> tf.Tensor:
    return tf.concat([flags[1:], tf.zeros_like(flags[:1])], axis=0)


def joined_text(
    vocabulary: tf.Variable, ids: tf.Tensor, rules: Sequence[tuple[str, str]] = RULES
) -> tf.Tensor:
    """Text of ids up to `<eos>` or padding: int32 [..., time] -> string [...].

    Args:
        vocabulary: the tokens by id; [vocabulary] string.
        rules: patterns and replacements applied in order to the tokens with spaces between.
    """
    ended = tf.cumsum(tf.cast((ids == EOS) | (ids == PAD), tf.int32), axis=-1) > 0
    spaced = tf.strings.join([" ", tf.gather(vocabulary, ids)])
    kept = tf.where(ended | (ids == BOS), "", spaced)
    text = tf.strings.reduce_join(kept, axis=-1)
    for pattern, replacement in (("^ ", ""), *rules):
        text = tf.strings.regex_replace(text, pattern, replacement)
    return text
