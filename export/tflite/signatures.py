"""The signatures of a language model's `.tflite` file: ids in, ids and log-probabilities out.

    step      token_id [1], state_*   -> ids, log_probs [1, 10], state_*   one word more
    prefill   ids [1, T], length [1]  -> ids, log_probs [1, 10], state_*   a context at once
    score     ids [1, T], length [1]  -> log_prob [1]                      `<bos>` w_1 ... `<eos>`

`ids` and `log_probs` are the likeliest next words, control tokens left out; the logarithms are of
the whole softmax. `prefill` starts before any word, so an application never makes a state itself.
Both loops end after `length` tokens: a short context in a long buffer costs what it is long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.saved_model.graph import (
    LanguageModelOnTensors,
    Signatures,
    Tensors,
    prefixed,
    unprefixed,
    variables_of,
)
from export.tflite.check import Check, Rows, sampled_sentences
from export.tflite.check_language_model import compare_language_model, contexts
from export.tflite.convert import QUANTIZATIONS
from export.tflite.module import LENGTH, Inputs, LiteModule, padded_row
from export.tflite.softmax import top_words
from zoo.models.language_model import LanguageModel
from zoo.models.neural import NeuralLanguageModel
from zoo.text import Tokenizer


class LiteLanguageModel(LiteModule[list[int]]):
    """A language model's signatures.

    Args:
        model: the Python model.
        graph: its methods on tensors.
        resources: variables of the model, and modules that hold more.
        length: places for ids in `prefill` and `score`, `<bos>` and `<eos>` counted.
    """

    quantizations: ClassVar[tuple[str, ...]] = QUANTIZATIONS
    python_model: LanguageModel

    def __init__(
        self,
        model: LanguageModel,
        graph: LanguageModelOnTensors,
        resources: list[tf.Variable | tf.Module],
        length: int = LENGTH,
    ) -> None:
        self.python_model = model
        self.graph = graph
        self.resources = resources
        self.length = length

    def step(self, token_id: tf.Tensor, **state: tf.Tensor) -> Tensors:
        whole = {**self.graph.initial_state(1), **unprefixed(state)}
        return self._answer(*self.graph.step_graph(token_id, whole))

    def prefill(self, ids: tf.Tensor, length: tf.Tensor) -> Tensors:
        last = length[0] - 1

        def advance(t: tf.Tensor, state: Tensors) -> tuple[tf.Tensor, Tensors]:
            return t + 1, fixed(self.graph.step_graph(ids[:, t], state)[1], state)

        start = (tf.constant(0), fixed(self.graph.initial_state(1)))
        _, state = tf.while_loop(lambda t, _: t < last, advance, start)
        return self._answer(*self.graph.step_graph(ids[:, last], state))

    def score(self, ids: tf.Tensor, length: tf.Tensor) -> Tensors:
        last = length[0] - 1

        def add(t: tf.Tensor, total: tf.Tensor, state: Tensors) -> tuple[tf.Tensor | Tensors, ...]:
            log_probs, new = self.graph.step_graph(ids[:, t], state)
            return t + 1, total + tf.gather(log_probs[0], ids[:, t + 1]), fixed(new, state)

        start = (tf.constant(0), tf.zeros([1]), fixed(self.graph.initial_state(1)))
        _, total, _ = tf.while_loop(lambda t, *_: t < last, add, start)
        return {"log_prob": total}

    def _answer(self, log_probs: tf.Tensor, state: Tensors) -> Tensors:
        return {**top_words(log_probs), **carried(state)}

    def signatures(self) -> Signatures:
        ids = tf.TensorSpec([1, self.length], tf.int32, name="ids")
        length = tf.TensorSpec([1], tf.int32, name="length")
        token = tf.TensorSpec([1], tf.int32, name="token_id")
        return {
            "step": tf.function(self.step, autograph=False).get_concrete_function(
                token, **self.state_specs()
            ),
            "prefill": tf.function(self.prefill, autograph=False).get_concrete_function(
                ids, length
            ),
            "score": tf.function(self.score, autograph=False).get_concrete_function(ids, length),
        }

    def state_specs(self) -> dict[str, tf.TensorSpec]:
        """Specs of the `state_*` inputs of `step`."""
        return {
            name: tf.TensorSpec(value.shape, value.dtype, name=name)
            for name, value in carried(self.graph.initial_state(1)).items()
        }

    def description(self) -> dict[str, Any]:
        return {"kind": "language_model", "length": self.length}

    def tokenizers(self) -> dict[str, Tokenizer]:
        return {"": self.python_model.tokenizer}

    def sentences(self, texts: Iterable[str] | None) -> Rows:
        """Word ids to compare on: of the texts, or sampled from the model."""
        if texts is None:
            return sampled_sentences(self.python_model, longest=self.length - 2)
        return [self.python_model.tokenizer.encode(text) for text in texts]

    def compare(self, interpreter: Interpreter, sentences: Rows) -> Check:
        return compare_language_model(self.python_model, interpreter, sentences, self.length)

    def examples(self, sentences: Rows) -> Iterator[tuple[str, Inputs]]:
        step = tf.function(self.step, autograph=False)
        for row in contexts(sentences, self.length):
            state = carried(self.graph.initial_state(1))
            for token in row[:-1]:
                token_id = np.array([token], np.int32)
                yield "step", {"token_id": token_id, **{n: v.numpy() for n, v in state.items()}}
                answer = step(tf.constant(token_id), **state)
                state = {name: answer[name] for name in state}
            yield "prefill", padded_row(row[:-1], self.length)
            yield "score", padded_row(row, self.length)


def carried(state: Tensors) -> Tensors:
    """The state tensors of signatures: those with anything in them (a unigram has none)."""
    named = prefixed(state)
    return {name: value for name, value in named.items() if 0 not in value.shape}


def fixed(state: Tensors, like: Tensors | None = None) -> Tensors:
    """Tensorss with the static shapes that a loop needs."""
    tensors = {name: tf.convert_to_tensor(value) for name, value in state.items()}
    for name, value in (like or {}).items():
        tensors[name].set_shape(value.shape)
    return tensors


def neural_module(model: NeuralLanguageModel) -> LiteLanguageModel:
    """The signatures of a Keras language model."""
    return LiteLanguageModel(model, model, variables_of(model))
