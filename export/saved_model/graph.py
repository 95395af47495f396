"""What the graphs of all models share: text in, the likeliest words out, named states between.

A graph is a model's methods on tensors. A Keras model is its own graph; counts have one in
export/saved_model/ngram_graph.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, Protocol, TypeAlias

import tensorflow as tf

from zoo.models import CachedLanguageModel, InterpolatedLanguageModel, PointerLanguageModel
from zoo.models.base import PresetModel
from zoo.models.keras_model import KerasModel
from zoo.models.language_model import SPECIALS

TOP = 10
TEXT = tf.TensorSpec([None], tf.string, name="text")
Tensors: TypeAlias = dict[str, tf.Tensor]
ConcreteFunction: TypeAlias = tf.types.experimental.ConcreteFunction
Signatures: TypeAlias = dict[str, ConcreteFunction]


class LanguageModelOnTensors(Protocol):
    """A language model's methods on tensors; states are named tensors, batch first."""

    def initial_state(self, batch_size: int) -> Tensors:
        """The state before any token."""

    def step_graph(self, token_ids: tf.Tensor, state: Tensors) -> tuple[tf.Tensor, Tensors]:
        """Ids [batch] -> log-probabilities [batch, vocabulary] of the next, and the new state."""

    def consume_graph(self, ids: tf.Tensor, lengths: tf.Tensor) -> Tensors:
        """The state after the first `lengths` [batch] of ids [batch, time]."""

    def token_log_probs_graph(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Log-probabilities [batch, time] of `targets` after `inputs`."""


class ServedModel(Protocol):
    """A trackable TensorFlow module with the signatures of one kind of model."""

    def signatures(self) -> Signatures:
        """Concrete functions by signature name."""

    def difference(self, loaded: tf.Module) -> float:
        """Largest difference between the answers of the loaded file and of the Python model."""


@singledispatch
def keras_models(model: PresetModel) -> list[KerasModel]:
    """The Keras models that a model is made of: none of counts, itself, or those of its parts."""
    return []


@keras_models.register
def _(model: KerasModel) -> list[KerasModel]:
    return [model]


@keras_models.register
def _(model: InterpolatedLanguageModel) -> list[KerasModel]:
    return [found for part in model.models for found in keras_models(part)]


@keras_models.register(CachedLanguageModel)
@keras_models.register(PointerLanguageModel)
def _(model: CachedLanguageModel | PointerLanguageModel) -> list[KerasModel]:
    return [model.model]


def variables_of(model: PresetModel) -> list[tf.Variable]:
    """The raw variables of the Keras models that a model is made of."""
    return [v.value for part in keras_models(model) for v in part.variables]


def on_text(function: Callable[..., Any]) -> Any:
    """A function of a text tensor [batch] as one that is traced once, by whatever calls it.

    What it does is in TensorFlow's own operations, so nothing is left for AutoGraph, which takes
    seconds to find that out.
    """
    return tf.function(function, input_signature=[TEXT], autograph=False)


def likeliest_words(log_probs: tf.Tensor, vocabulary: tf.Tensor) -> Tensors:
    """The ten likeliest words of distributions [batch, vocabulary]; control tokens not offered."""
    size = log_probs.shape[-1]
    offered = tf.constant([float(i not in SPECIALS) for i in range(size)])
    values, best = tf.math.top_k(tf.exp(log_probs) * offered, k=min(TOP, size - len(SPECIALS)))
    return {"words": tf.gather(vocabulary, best), "probabilities": values}


def prefixed(state: Tensors) -> Tensors:
    """State tensors under their signature names."""
    return {f"state_{name}": tf.convert_to_tensor(value) for name, value in state.items()}


def unprefixed(state: Tensors) -> Tensors:
    """State tensors under the model's names."""
    return {name.removeprefix("state_"): value for name, value in state.items()}


def with_ends(
    ids: tf.RaggedTensor, before: int | None = None, after: int | None = None
) -> tf.RaggedTensor:
    """Ragged ids with one id put before or after each row."""
    rows = tf.stack([ids.nrows(), tf.constant(1, tf.int64)])
    parts = [ids]
    if before is not None:
        parts.insert(0, tf.RaggedTensor.from_tensor(tf.fill(rows, tf.constant(before, ids.dtype))))
    if after is not None:
        parts.append(tf.RaggedTensor.from_tensor(tf.fill(rows, tf.constant(after, ids.dtype))))
    return tf.concat(parts, axis=1)
