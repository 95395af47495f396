"""SavedModel signatures of n-gram models and of interpolated models."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
import tensorflow as tf

from export.saved_model.graph import LanguageModelOnTensors, Tensors, variables_of
from export.saved_model.language_model import CHECK_TEXTS, LanguageModelGraph
from export.saved_model.ngram_graph import NGramGraph
from zoo.errors import ZooError
from zoo.models.interpolated import InterpolatedLanguageModel, named_by_part, names_of_part
from zoo.models.language_model import LanguageModel
from zoo.models.neural import NeuralLanguageModel
from zoo.models.ngram import NGramLanguageModel
from zoo.text import UNK


class CountsGraph(LanguageModelGraph):
    """The signatures, compared with the model where it gives a probability above 0."""

    def difference(self, loaded: tf.Module) -> float:
        known = " ".join(self.python_model.tokenizer.vocabulary[UNK + 3 :][:3])
        texts = [*CHECK_TEXTS, known]
        answer = loaded.signatures["score"](text=tf.constant(texts))["log_prob"].numpy()
        ours = self.python_model.score_ids([self.python_model.tokenizer.encode(t) for t in texts])
        if not np.array_equal(np.isneginf(answer), np.isneginf(ours)):
            return float("inf")
        possible = ~np.isneginf(ours)
        return float(np.max(np.abs(answer[possible] - ours[possible]), initial=0.0))


class InterpolatedGraph(tf.Module):
    """Σ_i λ_i P_i(w | words before) of several models' graphs.

    Args:
        parts: objects with a language model's methods on tensors.
        weights: λ.
        resources: the parts' variables.
    """

    def __init__(
        self,
        parts: list[LanguageModelOnTensors],
        weights: np.ndarray,
        resources: list[tf.Variable],
    ) -> None:
        super().__init__()
        self.parts = parts
        self.log_weights = np.log(weights).astype(np.float32)
        self.resources = resources

    def mixed(self, log_probs: list[tf.Tensor]) -> tf.Tensor:
        """log Σ λ_i P_i from each part's log P."""
        weighted = [
            tf.cast(part, tf.float32) + weight
            for part, weight in zip(log_probs, self.log_weights, strict=True)
        ]
        return tf.reduce_logsumexp(tf.stack(weighted), axis=0)

    def initial_state(self, batch_size: int | tf.Tensor) -> Tensors:
        return named_by_part([part.initial_state(batch_size) for part in self.parts])

    def step_graph(self, token_ids: tf.Tensor, state: Tensors) -> tuple[tf.Tensor, Tensors]:
        steps = [
            part.step_graph(token_ids, names_of_part(state, i)) for i, part in enumerate(self.parts)
        ]
        return self.mixed([values for values, _ in steps]), named_by_part([s for _, s in steps])

    def consume_graph(self, ids: tf.Tensor, lengths: tf.Tensor) -> Tensors:
        return named_by_part([part.consume_graph(ids, lengths) for part in self.parts])

    def token_log_probs_graph(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        return self.mixed([part.token_log_probs_graph(inputs, targets) for part in self.parts])


@singledispatch
def on_tensors(
    model: LanguageModel,
    counts: type[NGramGraph] = NGramGraph,
    mixture: type[InterpolatedGraph] = InterpolatedGraph,
) -> LanguageModelOnTensors:
    """A model's methods on tensors; a Keras model has them itself.

    Args:
        model: of counts, a Keras model, or an interpolation of both.
        counts, mixture: the classes for the parts that are no Keras models.
    """
    raise ZooError(f"a {type(model).__name__} has no methods on tensors")


@on_tensors.register
def _(model: NeuralLanguageModel, *classes: object) -> LanguageModelOnTensors:
    return model


@on_tensors.register
def _(
    model: NGramLanguageModel, counts: type[NGramGraph] = NGramGraph, *mixture: object
) -> LanguageModelOnTensors:
    return counts(model.tables, normalise=not model.is_normalised)


@on_tensors.register
def _(
    model: InterpolatedLanguageModel,
    counts: type[NGramGraph] = NGramGraph,
    mixture: type[InterpolatedGraph] = InterpolatedGraph,
) -> LanguageModelOnTensors:
    parts = [on_tensors(part, counts, mixture) for part in model.models]
    return mixture(parts, model.weights, variables_of(model))


def counts_module(model: NGramLanguageModel | InterpolatedLanguageModel) -> CountsGraph:
    """The signatures of an n-gram or interpolated model."""
    return CountsGraph(model, on_tensors(model), variables_of(model))
