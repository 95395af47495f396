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
from typing import Any

import numpy as np
import tensorflow as tf

from export.saved_model.language_model import prefixed
from export.tflite import check
from export.tflite.convert import QUANTIZATIONS
from export.tflite.softmax import top_words
from zoo.text import BOS, EOS, PAD

LENGTH = 64
Signatures = dict[str, Any]
State = dict[str, tf.Tensor]
Rows = list[list[int]]


class LiteLanguageModel:
    """A language model's signatures as traced functions of batch 1.

    Args:
        model: the Python model.
        graph: the object with `initial_state` and `step_graph` on tensors.
        resources: variables of the model, and modules that hold more.
        length: places for ids in `prefill` and `score`, `<bos>` and `<eos>` counted.
    """

    quantizations: tuple[str, ...] = QUANTIZATIONS

    def __init__(self, model: Any, graph: Any, resources: list[Any], length: int = LENGTH) -> None:
        self.python_model = model
        self.graph = graph
        self.resources = resources
        self.length = length

    def step(self, token_id: tf.Tensor, **state: tf.Tensor) -> Signatures:
        given = {name.removeprefix("state_"): value for name, value in state.items()}
        return self._answer(
            *self.graph.step_graph(token_id, {**self.graph.initial_state(1), **given})
        )

    def prefill(self, ids: tf.Tensor, length: tf.Tensor) -> Signatures:
        last = length[0] - 1

        def advance(t: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return t + 1, fixed(self.graph.step_graph(ids[:, t], state)[1], state)

        start = (tf.constant(0), fixed(self.graph.initial_state(1)))
        _, state = tf.while_loop(lambda t, _: t < last, advance, start)
        return self._answer(*self.graph.step_graph(ids[:, last], state))

    def score(self, ids: tf.Tensor, length: tf.Tensor) -> Signatures:
        last = length[0] - 1

        def add(t: tf.Tensor, total: tf.Tensor, state: State) -> tuple[Any, ...]:
            log_probs, new = self.graph.step_graph(ids[:, t], state)
            return t + 1, total + tf.gather(log_probs[0], ids[:, t + 1]), fixed(new, state)

        start = (tf.constant(0), tf.zeros([1]), fixed(self.graph.initial_state(1)))
        _, total, _ = tf.while_loop(lambda t, *_: t < last, add, start)
        return {"log_prob": total}

    def _answer(self, log_probs: tf.Tensor, state: State) -> Signatures:
        return {**top_words(log_probs), **carried(state)}

    def signatures(self) -> Signatures:
        """Concrete functions by signature name."""
        ids = tf.TensorSpec([1, self.length], tf.int32, name="ids")
        length = tf.TensorSpec([1], tf.int32, name="length")
        token = tf.TensorSpec([1], tf.int32, name="token_id")
        return {
            "step": tf.function(self.step).get_concrete_function(token, **self.state_specs()),
            "prefill": tf.function(self.prefill).get_concrete_function(ids, length),
            "score": tf.function(self.score).get_concrete_function(ids, length),
        }

    def state_specs(self) -> dict[str, tf.TensorSpec]:
        """Specs of the `state_*` inputs of `step`."""
        return {
            name: tf.TensorSpec(value.shape, value.dtype, name=name)
            for name, value in carried(self.graph.initial_state(1)).items()
        }

    # --- what the exporter asks for -----------------------------------------------------------

    def description(self) -> dict[str, Any]:
        """What a runtime must know."""
        return {"kind": "language_model", "length": self.length}

    def tokenizers(self) -> dict[str, Any]:
        """By folder in the archive."""
        return {"": self.python_model.tokenizer}

    def sentences(self, texts: Iterable[str] | None) -> Rows:
        """Word ids to compare on: of the texts, or sampled from the model."""
        if texts is None:
            return check.sampled_sentences(self.python_model, longest=self.length - 2)
        return [self.python_model.tokenizer.encode(text) for text in texts]

    def compare(self, interpreter: Any, sentences: Rows) -> check.Check:
        """The file's answers against the model's."""
        return check.compare_language_model(self, interpreter, sentences)

    def examples(self, sentences: Rows) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Inputs of every signature, for measuring activations."""
        step = tf.function(self.step)
        for row in self.contexts(sentences):
            state = carried(self.graph.initial_state(1))
            for token in row[:-1]:
                token_id = np.array([token], np.int32)
                yield "step", {"token_id": token_id, **{n: v.numpy() for n, v in state.items()}}
                answer = step(tf.constant(token_id), **state)
                state = {name: answer[name] for name in state}
            yield "prefill", self.feeds(row[:-1])
            yield "score", self.feeds(row)

    def contexts(self, sentences: Rows) -> Rows:
        """Sentences of word ids as `<bos>` w_1 ... `<eos>`, those that fit."""
        ended = [[BOS, *ids, EOS] for ids in sentences]
        return [ids for ids in ended if len(ids) <= self.length]

    def feeds(self, ids: list[int]) -> dict[str, np.ndarray]:
        """Inputs of `prefill` and `score` for one row of ids."""
        return padded_row(ids, self.length)


def padded_row(ids: list[int], length: int) -> dict[str, np.ndarray]:
    """One row of ids as signatures take it: `ids` [1, length] and `length` [1]."""
    padded = np.full((1, length), PAD, np.int32)
    padded[0, : len(ids)] = ids
    return {"ids": padded, "length": np.array([len(ids)], np.int32)}


def carried(state: dict[str, Any]) -> State:
    """The state tensors of signatures: those with anything in them (a unigram has none)."""
    named = prefixed(state)
    return {name: value for name, value in named.items() if 0 not in value.shape}


def fixed(state: dict[str, Any], like: State | None = None) -> State:
    """States with the static shapes that a loop needs."""
    tensors = {name: tf.convert_to_tensor(value) for name, value in state.items()}
    for name, value in (like or {}).items():
        tensors[name].set_shape(value.shape)
    return tensors


def neural_module(model: Any) -> LiteLanguageModel:
    """The signatures of a Keras language model."""
    return LiteLanguageModel(model, model, [v.value for v in model.variables])
