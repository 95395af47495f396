"""The signatures of a bidirectional model's `.tflite` file.

    fill    ids [1, T], length [1], position [1]  -> ids, log_probs [1, 10]   words for a place
    score   ids [1, T], length [1], position [1]  -> log_prob [1]             of the word there

The ids are `<bos>` w_1 ... w_n `<eos>`, with any id at `position` for `fill`; the word that stands
there is never seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.saved_model.graph import Signatures, Tensors, variables_of
from export.tflite.check import Check, Comparison, Rows, enough
from export.tflite.module import LENGTH, Inputs, WholeSentences, padded_row
from export.tflite.softmax import top_words
from zoo.models import BidirectionalLanguageModel
from zoo.text import BOS, EOS


class LiteCloze(WholeSentences):
    """A BidirectionalLanguageModel's signatures."""

    # TensorFlow's calibrator, which "int8" needs, crashes on loops that keep whole sequences.
    quantizations = ("none", "float16", "dynamic")
    python_model: BidirectionalLanguageModel

    def __init__(self, model: BidirectionalLanguageModel, length: int = LENGTH) -> None:
        self.python_model = model
        self.resources = variables_of(model)
        self.length = length

    def fill(self, ids: tf.Tensor, length: tf.Tensor, position: tf.Tensor) -> Tensors:
        return top_words(self.python_model.fill_log_probs_graph(ids, length, position))

    def score(self, ids: tf.Tensor, length: tf.Tensor, position: tf.Tensor) -> Tensors:
        log_probs = self.python_model.fill_log_probs_graph(ids, length, position)
        return {"log_prob": tf.gather(log_probs[0], tf.gather(ids[0], position))}

    def signatures(self) -> Signatures:
        specs = [
            tf.TensorSpec([1, self.length], tf.int32, name="ids"),
            tf.TensorSpec([1], tf.int32, name="length"),
            tf.TensorSpec([1], tf.int32, name="position"),
        ]
        return {
            name: tf.function(getattr(self, name), autograph=False).get_concrete_function(*specs)
            for name in ("fill", "score")
        }

    def description(self) -> dict[str, Any]:
        return {"kind": "bidirectional", "length": self.length}

    def places(self, sentences: Rows) -> Iterator[tuple[list[int], int]]:
        """Each word's place in each sentence that fits."""
        for ids in sentences:
            row = [BOS, *ids, EOS]
            if len(row) <= self.length:
                yield from ((row, place) for place in range(1, len(row) - 1))

    def feeds(self, row: list[int], place: int) -> Inputs:
        """Inputs of both signatures."""
        return {**padded_row(row, self.length), "position": np.array([place], np.int32)}

    def compare(self, interpreter: Interpreter, sentences: Rows) -> Check:
        """The file's answers for every word of the sentences against the model's."""
        fill, score = map(interpreter.get_signature_runner, ("fill", "score"))
        compared = Comparison()
        expected_of = tf.function(self.python_model.fill_log_probs_graph, autograph=False)
        for row, place in self.places(enough(sentences)):
            feeds = self.feeds(row, place)
            expected = expected_of(*map(tf.constant, feeds.values())).numpy()[0]
            compared.add(row[place], expected, fill(**feeds))
            answered = float(score(**feeds)["log_prob"][0])
            compared.add_score(float(expected[row[place]]), answered, 1)
        return compared.check()
