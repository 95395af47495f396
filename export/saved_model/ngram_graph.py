"""An n-gram model's look-ups as TensorFlow ops: gathers and comparisons, all stock.

The graph does what `zoo.ngrams.query` does. A binary search is unrolled to as many steps as the
longest slice of followers needs, and stepping through it costs a gather and a comparison each.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from export.saved_model.graph import Tensors
from zoo.ngrams.tables import NGramTables
from zoo.text import PAD


class NGramGraph(tf.Module):
    """The tables as variables, and the methods of a language model on tensors.

    Args:
        tables: the model.
        normalise: whether distributions must be made to sum to 1 (stupid backoff).
    """

    def __init__(self, tables: NGramTables, normalise: bool = False) -> None:
        super().__init__()
        self.order = tables.order
        self.normalise = normalise
        self.missing = [level.missing for level in tables.levels]
        self.missing_backoff = tables.missing_backoff
        self.steps = [search_steps(level.begin) for level in tables.levels[:-1]]
        self.words = [_variable(level.words.astype(np.int32)) for level in tables.levels[1:]]
        self.log_prob = [_variable(level.log_prob.astype(np.float32)) for level in tables.levels]
        inner = tables.levels[:-1]
        self.backoff = [_variable(level.backoff.astype(np.float32)) for level in inner]
        self.begin = [_variable(level.begin) for level in inner]

    def find(self, k: int, contexts: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Indices in level k + 1 of the k-grams `contexts` continued by `words`; same shapes."""
        followers, begin = self.words[k - 1], self.begin[k - 1]
        low = tf.gather(begin, contexts)
        end = tf.gather(begin, contexts + 1)
        size = end - low
        for _ in range(self.steps[k - 1]):
            half = size // 2
            middle = low + half
            low = tf.where(tf.gather(followers, middle) <= words, middle, low)
            size -= half
        hit = (low < end) & (tf.gather(followers, low) == words)
        return tf.where(hit, tf.cast(low, tf.int32), self.missing[k])

    def context_backoff(self, k: int, nodes: tf.Tensor, first_words: tf.Tensor) -> tf.Tensor:
        """Backoffs of contexts of k words, which start with `first_words`."""
        backoff = tf.gather(self.backoff[k - 1], nodes)
        if self.missing_backoff:
            unseen = (nodes == self.missing[k - 1]) & (first_words != PAD)
            backoff += tf.where(unseen, self.missing_backoff, 0.0)
        return backoff

    def look_up(self, context: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Each context's nodes and the weights of what is found after it, by its length."""
        columns, nodes, backoffs = context, [], []
        for k in range(1, self.order):
            if k > 1:
                columns = self.find(k - 1, columns[:, :-1], context[:, k - 1 :])
            nodes.append(columns[:, -1])
            backoffs.append(self.context_backoff(k, nodes[-1], context[:, self.order - 1 - k]))
        weights = [tf.zeros(tf.shape(context)[:1])]
        for backoff in reversed(backoffs):
            weights.insert(0, weights[0] + backoff)
        return nodes, weights

    def distribution(self, context: tf.Tensor) -> tf.Tensor:
        """log P of every next word; [batch, order - 1] -> [batch, vocabulary]."""
        nodes, weights = self.look_up(context)
        values = self.log_prob[0][:-1] + weights[0][:, None]  # without `missing`
        for k in range(1, self.order):
            begin = tf.gather(self.begin[k - 1], nodes[k - 1])
            sizes = tf.gather(self.begin[k - 1], nodes[k - 1] + 1) - begin
            rows = tf.repeat(tf.range(tf.shape(sizes)[0]), sizes)
            within = tf.range(tf.shape(rows)[0]) - tf.repeat(
                tf.cumsum(tf.cast(sizes, tf.int32), exclusive=True), sizes
            )
            entries = tf.gather(begin, rows) + tf.cast(within, begin.dtype)
            places = tf.stack([rows, tf.gather(self.words[k - 1], entries)], axis=1)
            found = tf.gather(self.log_prob[k], entries) + tf.gather(weights[k], rows)
            values = tf.tensor_scatter_nd_update(values, places, found)
        return tf.nn.log_softmax(values) if self.normalise else values

    # A language model's methods on tensors

    def initial_state(self, batch_size: int | tf.Tensor) -> Tensors:
        return {"context": tf.fill([batch_size, self.order - 1], PAD)}

    def step_graph(self, token_ids: tf.Tensor, state: Tensors) -> tuple[tf.Tensor, Tensors]:
        context = tf.concat([state["context"], token_ids[:, None]], axis=1)[:, 1:]
        return self.distribution(context), {"context": context}

    def consume_graph(self, ids: tf.Tensor, lengths: tf.Tensor) -> Tensors:
        width = self.order - 1
        padded = tf.pad(ids, [[0, 0], [width, 0]], constant_values=PAD)
        columns = lengths[:, None] + tf.range(width)
        return {"context": tf.gather(padded, columns, axis=1, batch_dims=1)}

    def token_log_probs_graph(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        nodes = inputs  # [batch, time]: the last k inputs, in level k
        values = tf.gather(self.log_prob[0], targets)
        for k in range(1, self.order):
            values += self.context_backoff(k, nodes, _shifted(inputs, k - 1, PAD))
            found = self.find(k, nodes, targets)
            values = tf.where(found != self.missing[k], tf.gather(self.log_prob[k], found), values)
            if k + 1 < self.order:
                nodes = self.find(k, _shifted(nodes, 1, self.missing[k - 1]), inputs)
        return tf.where(targets == PAD, 0.0, values)


def search_steps(begin: np.ndarray) -> int:
    """How often a binary search halves the longest slice of followers."""
    longest = int(np.diff(begin).max(initial=0))
    return max(longest - 1, 0).bit_length()


def _variable(values: np.ndarray) -> tf.Variable:
    # A variable, not a constant: each signature would carry its own copy of a constant.
    return tf.Variable(values, trainable=False)


def _shifted(values: tf.Tensor, steps: int, fill: int) -> tf.Tensor:
    """[batch, time] moved `steps` to the right, `fill` at the left; the time may be shorter."""
    padded = tf.pad(values, [[0, 0], [steps, 0]], constant_values=fill)
    return padded[:, : tf.shape(values)[1]]
