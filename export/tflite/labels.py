"""The signatures of the `.tflite` file of a model that gives labels.

    tag       ids [1, T], length [1]  -> labels [1, T] int32, log_probs [1, T]   a tagger
    classify  ids [1, T], length [1]  -> log_probs [1, labels]                   a classifier

The ids are `<bos>` w_1 ... w_n `<eos>`; what is said of the ends and of padding has no meaning. The
names of the labels are in model.json, for a restorer with what it takes to write a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.saved_model.graph import Signatures, Tensors, variables_of
from export.tflite.check import Check, Rows, enough, largest_difference
from export.tflite.module import LENGTH, WholeSentences, padded_row
from zoo.models import BidirectionalClassifier, BidirectionalRestorer, BidirectionalTagger
from zoo.text import BOS, EOS
from zoo.text.case_and_marks import TAKEN_OUT

LabelModel = BidirectionalTagger | BidirectionalClassifier


class LiteLabels(WholeSentences):
    """What the files of taggers and classifiers share: ids in, numbers of labels out."""

    # TensorFlow's calibrator, which "int8" needs, crashes on loops that keep whole sequences.
    quantizations = ("none", "float16", "dynamic")
    python_model: LabelModel
    signature: str
    kind: str

    def __init__(self, model: LabelModel, length: int = LENGTH) -> None:
        self.python_model = model
        self.resources = variables_of(model)
        self.length = length

    def log_probs(self, ids: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        return self.python_model.label_log_probs_graph(ids, length)

    def answer(self, ids: tf.Tensor, length: tf.Tensor) -> Tensors:
        """What the signature gives."""
        return {"log_probs": self.log_probs(ids, length)}

    def signatures(self) -> Signatures:
        ids = tf.TensorSpec([1, self.length], tf.int32, name="ids")
        length = tf.TensorSpec([1], tf.int32, name="length")
        function = tf.function(self.answer, autograph=False)
        return {self.signature: function.get_concrete_function(ids, length)}

    def description(self) -> dict[str, Any]:
        labels = list(self.python_model.labels)
        return {"kind": self.kind, "length": self.length, "labels": labels}

    def compare(self, interpreter: Interpreter, sentences: Rows) -> Check:
        """The file's log-probabilities against the model's, and how often they give one label."""
        ask = interpreter.get_signature_runner(self.signature)
        expected_of = tf.function(self.python_model.label_log_probs_graph, autograph=False)
        differences, same, words = [0.0], [1.0], 0
        for ids in enough(sentences):
            row = [BOS, *ids, EOS]
            if len(row) > self.length:
                continue
            feeds = padded_row(row, self.length)
            expected = expected_of(*map(tf.constant, feeds.values())).numpy()
            difference, agreed = self.compared(expected, ask(**feeds), len(row))
            differences.append(difference)
            same += agreed
            words += len(ids)
        return Check(max(differences), words, {"same label": (1.0, float(np.mean(same)))})

    def compared(
        self, expected: np.ndarray, answer: dict[str, np.ndarray], length: int
    ) -> tuple[float, list[float]]:
        """Largest difference of one text, and for each label whether it is the model's."""
        best = answer["log_probs"].argmax() == expected.argmax()
        return largest_difference(answer["log_probs"], expected), [float(best)]


class LiteClassifier(LiteLabels):
    """A BidirectionalClassifier's signature."""

    signature, kind = "classify", "classifier"


class LiteTagger(LiteLabels):
    """A BidirectionalTagger's signature."""

    signature, kind = "tag", "tagger"

    def answer(self, ids: tf.Tensor, length: tf.Tensor) -> Tensors:
        log_probs = self.log_probs(ids, length)  # [1, T, labels]
        best = tf.argmax(log_probs, axis=-1, output_type=tf.int32)
        return {"labels": best, "log_probs": tf.reduce_max(log_probs, axis=-1)}

    def compared(
        self, expected: np.ndarray, answer: dict[str, np.ndarray], length: int
    ) -> tuple[float, list[float]]:
        words = slice(1, length - 1)
        given, value = (answer[name][0, words] for name in ("labels", "log_probs"))
        own = np.take_along_axis(expected[0, words], given[:, np.newaxis], axis=-1)[:, 0]
        agreed = given == expected[0, words].argmax(axis=-1)
        return largest_difference(value, own) if len(given) else 0.0, agreed.astype(float).tolist()


class LiteRestorer(LiteTagger):
    """A BidirectionalRestorer's signature, and what a runtime needs to write a text."""

    kind = "restorer"
    python_model: BidirectionalRestorer

    def description(self) -> dict[str, Any]:
        forms = list(self.python_model.word_forms.values())
        return {
            **super().description(),
            "taken_out": list(TAKEN_OUT),
            "word_forms": forms,
        }

    def sentences(self, texts: Iterable[str] | None) -> Rows:
        model = self.python_model
        if texts is None:
            return super().sentences(None)
        return [model.tokenizer.ids_of(model.words(text)) for text in texts]
