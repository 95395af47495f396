"""Counted models in a `.tflite` file: the graph's look-ups with built-in ops.

One context at a time: its followers are one slice of a level, so RANGE, GATHER and SCATTER_ND take
the place of the ragged indices that a batch needs. The tables stay in 32 bits, since a quantised
index is a wrong index.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from export.saved_model.graph import Tensors, variables_of
from export.saved_model.ngram import InterpolatedGraph, on_tensors
from export.saved_model.ngram_graph import NGramGraph
from export.tflite.signatures import LiteLanguageModel
from export.tflite.softmax import log_softmax
from zoo.errors import ZooError
from zoo.models.interpolated import InterpolatedLanguageModel
from zoo.models.ngram import NGramLanguageModel
from zoo.ngrams.tables import NGramTables

LARGEST_INDEX = np.iinfo(np.int32).max


class LiteNGramGraph(NGramGraph):
    """The tables, for batches of 1."""

    def __init__(self, tables: NGramTables, normalise: bool = False) -> None:
        super().__init__(tables, normalise)
        if max(map(len, tables.levels)) >= LARGEST_INDEX:
            raise ZooError("more than 2^31 n-grams of an order do not go into a .tflite file")
        inner = tables.levels[:-1]
        self.begin = [tf.Variable(level.begin.astype(np.int32), trainable=False) for level in inner]

    def distribution(self, context: tf.Tensor) -> tf.Tensor:
        """log P of every next word; [1, order - 1] -> [1, vocabulary]."""
        nodes, weights = self.look_up(context)
        values = self.log_prob[0][:-1] + weights[0]  # without `missing`
        for k in range(1, self.order):
            begin = tf.gather(self.begin[k - 1], nodes[k - 1])[0]
            end = tf.gather(self.begin[k - 1], nodes[k - 1] + 1)[0]
            entries = tf.range(begin, end)
            words = tf.gather(self.words[k - 1], entries)
            found = tf.gather(self.log_prob[k], entries) + weights[k]
            values = tf.tensor_scatter_nd_update(values, words[:, tf.newaxis], found)
        values = values[tf.newaxis]
        return log_softmax(values) if self.normalise else values


class LiteInterpolatedGraph(InterpolatedGraph):
    """Σ_i λ_i P_i without the checks for infinities that TFLite has no op for."""

    def mixed(self, log_probs: list[tf.Tensor]) -> tf.Tensor:
        terms = [
            tf.exp(tf.cast(part, tf.float32) + weight)
            for part, weight in zip(log_probs, self.log_weights, strict=True)
        ]
        return tf.math.log(tf.add_n(terms))


class LiteCounts(LiteLanguageModel):
    """The signatures, where a sentence's score need not be the sum of the steps' logarithms.

    Stupid backoff's scores do not sum to 1; a step has to normalise them, a sentence has not.
    """

    quantizations = ("none",)  # a rounded index is a wrong index

    def score(self, ids: tf.Tensor, length: tf.Tensor) -> Tensors:
        values = self.graph.token_log_probs_graph(ids[:, :-1], ids[:, 1:])
        counted = tf.range(self.length - 1)[tf.newaxis] < length - 1
        return {"log_prob": tf.reduce_sum(tf.where(counted, values, 0.0), axis=1)}


def counts_module(model: NGramLanguageModel | InterpolatedLanguageModel) -> LiteCounts:
    """The signatures of an n-gram or interpolated model."""
    graph = on_tensors(model, LiteNGramGraph, LiteInterpolatedGraph)
    return LiteCounts(model, graph, [*variables_of(model), graph])
