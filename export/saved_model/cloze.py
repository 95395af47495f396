"""The signature of a bidirectional model: text with one `___` in, words for it out.

    fill   text -> words, probabilities

A text without exactly one blank is an INVALID_ARGUMENT, as in Python.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from export.report import keep_untracked
from export.saved_model.graph import (
    Signatures,
    Tensors,
    likeliest_words,
    on_text,
    variables_of,
    with_ends,
)
from zoo.models import BidirectionalLanguageModel
from zoo.text import BOS, EOS
from zoo.text.graph.tokenizers import graph_tokenizer

CHECK_TEXTS = ["the ___ is small", "___", "qqq _____ , isn't it ?"]
BLANK = "_{3,}"
MARK = "\x00"  # stands for the blank inside the graph; it cannot be in a text any more by then


class ClozeGraph(tf.Module):
    """A BidirectionalLanguageModel's signature as a traced function."""

    def __init__(self, model: BidirectionalLanguageModel) -> None:
        super().__init__()
        keep_untracked(self, python_model=model, graph=model)
        self.text = graph_tokenizer(model.tokenizer)
        keep_untracked(self, encode=on_text(self.text.encode))
        self.resources = variables_of(model)

    def fill(self, text: tf.Tensor) -> Tensors:
        left, right = self.split_at_blank(text)
        before = with_ends(self.encode(left), before=BOS, after=BOS)  # the blank's place
        after = with_ends(self.encode(right), after=EOS)
        ids = tf.concat([before, after], axis=1)
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        position = tf.cast(before.row_lengths(), tf.int32) - 1
        log_probs = self.graph.fill_log_probs_graph(ids.to_tensor(), lengths, position)
        return likeliest_words(log_probs, self.text.vocabulary)

    def split_at_blank(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What stands before and behind the blank of each text; string [batch] each."""
        clean = tf.strings.regex_replace(text, MARK, " ")
        marked = tf.strings.regex_replace(clean, BLANK, MARK)
        parts = tf.strings.split(marked, MARK)
        # The message must be UTF-8, whatever was asked, or no client gets it.
        readable = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")
        one = tf.debugging.Assert(
            tf.reduce_all(parts.row_lengths() == 2),
            ["each text must have exactly one blank, written ___; got", readable],
        )
        with tf.control_dependencies([one] if one is not None else []):
            halves = tf.reshape(tf.identity(parts.values), [-1, 2])
        return halves[:, 0], halves[:, 1]

    def signatures(self) -> Signatures:
        fill = on_text(self.fill).get_concrete_function()
        return {"serving_default": fill, "fill": fill}

    def difference(self, loaded: tf.Module) -> float:
        """Largest difference of a word's probability, loaded file against model."""
        answer = loaded.signatures["fill"](text=tf.constant(CHECK_TEXTS))["probabilities"].numpy()
        ours = [[p for _, p in words] for words in self.python_model.fill(CHECK_TEXTS)]
        return float(np.max(np.abs(answer - np.array(ours))))
