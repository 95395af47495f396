"""The signatures of a bidirectional model's `.tflite` file.

    fill    ids [1, T], length [1], position [1]  -> ids, log_probs [1, 10]   words for a place
    score   ids [1, T], length [1], position [1]  -> log_prob [1]             of the word there

The ids are `<bos>` w_1 ... w_n `<eos>`, with any id at `position` for `fill`; the word that stands
there is never seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from export.tflite import check
from export.tflite.signatures import LENGTH, Rows, Signatures, padded_row
from export.tflite.softmax import top_words
from zoo.text import BOS, EOS


class LiteCloze:
    """A BidirectionalLanguageModel's signatures as traced functions of batch 1."""

    # TensorFlow's calibrator, which "int8" needs, crashes on loops that keep whole sequences.
    quantizations = ("none", "float16", "dynamic")

    def __init__(self, model: Any, length: int = LENGTH) -> None:
        self.python_model = model
        self.resources = [v.value for v in model.variables]
        self.length = length

    def fill(self, ids: tf.Tensor, length: tf.Tensor, position: tf.Tensor) -> Signatures:
        return top_words(self.python_model.fill_log_probs_graph(ids, length, position))

    def score(self, ids: tf.Tensor, length: tf.Tensor, position: tf.Tensor) -> Signatures:
        log_probs = self.python_model.fill_log_probs_graph(ids, length, position)
        return {"log_prob": tf.gather(log_probs[0], tf.gather(ids[0], position))}

    def signatures(self) -> Signatures:
        """Concrete functions by signature name."""
        specs = [
            tf.TensorSpec([1, self.length], tf.int32, name="ids"),
            tf.TensorSpec([1], tf.int32, name="length"),
            tf.TensorSpec([1], tf.int32, name="position"),
        ]
        return {
            name: tf.function(getattr(self, name)).get_concrete_function(*specs)
            for name in ("fill", "score")
        }

    def description(self) -> dict[str, Any]:
        """What a runtime must know."""
        return {"kind": "bidirectional", "length": self.length}

    def tokenizers(self) -> dict[str, Any]:
        """By folder in the archive."""
        return {"": self.python_model.tokenizer}

    def sentences(self, texts: Iterable[str] | None) -> Rows:
        """Word ids to compare on: of the texts, or words by chance."""
        tokenizer = self.python_model.tokenizer
        if texts is None:
            return check.random_sentences(tokenizer.vocabulary_size)
        return [tokenizer.encode(text) for text in texts]

    def places(self, sentences: Rows) -> Iterator[tuple[list[int], int]]:
        """Each word's place in each sentence that fits."""
        for ids in sentences:
            row = [BOS, *ids, EOS]
            if len(row) <= self.length:
                yield from ((row, place) for place in range(1, len(row) - 1))

    def feeds(self, row: list[int], place: int) -> dict[str, np.ndarray]:
        """Inputs of both signatures."""
        return {**padded_row(row, self.length), "position": np.array([place], np.int32)}

    def compare(self, interpreter: Any, sentences: Rows) -> check.Check:
        """The file's answers for every word of the sentences against the model's."""
        fill, score = (interpreter.get_signature_runner(name) for name in ("fill", "score"))
        pairs = check.Pairs()
        expected_of = tf.function(self.python_model.fill_log_probs_graph)
        for row, place in self.places(check.enough(sentences)):
            feeds = self.feeds(row, place)
            expected = expected_of(*map(tf.constant, feeds.values())).numpy()[0]
            pairs.add(row[place], expected, fill(**feeds))
            pairs.add_score(float(expected[row[place]]), float(score(**feeds)["log_prob"][0]), 1)
        return pairs.check()


def cloze_module(model: Any) -> LiteCloze:
    """The signatures of a bidirectional model."""
    return LiteCloze(model)
