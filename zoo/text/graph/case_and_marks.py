"""Case and marks inside a TensorFlow graph: `zoo.text.case_and_marks` of core ops.

Words are flat arrays of strings with the rows that they are of. Each of the four case forms is made
for every word, and its label says which is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from zoo.text import case_and_marks
from zoo.text.case_and_marks import CASES, TAKEN_OUT, WRITTEN
from zoo.text.detokenization import RULES
from zoo.text.graph.normalization import kept
from zoo.text.graph.words import ragged
from zoo.text.tokenizer import Tokenizer

LONGEST = 1 << 30  # characters of a word


class CaseAndMarks(tf.Module):
    """Bare words out of tokens, and running text out of bare words with labels.

    Args:
        tokenizer: gives the words by id.
        labels: the labels by number.
        forms: how mixed words are written, by the folded word.
    """

    def __init__(
        self, tokenizer: Tokenizer, labels: Sequence[str], forms: Mapping[str, str]
    ) -> None:
        super().__init__()
        parts = [label.partition(" ") for label in labels]
        marks = [WRITTEN.get(mark, mark) for _, _, mark in parts]
        mixed = [forms.get(word, "") for word in tokenizer.vocabulary]
        # Variables, not constants: every signature of a SavedModel has its own copy of a constant.
        self.cases = tf.Variable([CASES.index(case) for case, _, _ in parts], trainable=False)
        self.marks = tf.Variable(marks, trainable=False, dtype=tf.string)
        self.mixed = tf.Variable(mixed, trainable=False, dtype=tf.string)
        self.taken_out = tf.Variable(list(TAKEN_OUT), trainable=False, dtype=tf.string)

    def bare_words(self, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
        """The tokens that are words: ragged string [batch, None]."""
        same = tf.equal(tokens.values[:, tf.newaxis], self.taken_out[tf.newaxis, :])
        return ragged(*kept(tokens.values, tokens.row_splits, ~tf.reduce_any(same, axis=1)))

    def __call__(self, words: tf.RaggedTensor, ids: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Running text [batch] of words, with the id and the label's number of each [words]."""
        forms = self.written(words.values, ids, tf.gather(self.cases, labels))
        marks = tf.gather(self.marks, labels)
        spaced = tf.where(marks == "", forms, tf.strings.join([forms, marks], separator=" "))
        text = tf.strings.reduce_join(ragged(spaced, words.row_splits), axis=1, separator=" ")
        for pattern, replacement in RULES:
            text = tf.strings.regex_replace(text, pattern, replacement)
        return text

    def written(self, words: tf.Tensor, ids: tf.Tensor, cases: tf.Tensor) -> tf.Tensor:
        """Each word in its case form; string [words]."""
        first = tf.strings.substr(words, 0, 1, unit="UTF8_CHAR")
        rest = tf.strings.substr(words, 1, LONGEST, unit="UTF8_CHAR")
        title = tf.strings.join([tf.strings.upper(first, encoding="utf-8"), rest])
        listed = tf.gather(self.mixed, ids)
        by_case = {
            case_and_marks.LOWER: words,
            case_and_marks.TITLE: title,
            case_and_marks.UPPER: tf.strings.upper(words, encoding="utf-8"),
            case_and_marks.MIXED: tf.where(listed == "", title, listed),
        }
        return tf.gather(tf.stack([by_case[case] for case in CASES], axis=1), cases, batch_dims=1)
