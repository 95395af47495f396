"""Dynamic evaluation: a model that goes on learning from the text it is tested on (Krause 2018).

The text is cut into segments s_1, s_2, ... Each is scored with the weights θ_{i-1}, and only then
learnt from, so no word is scored by weights that have seen it (arXiv 1709.07432, equations 5-8):

    MS_g = mean over training text of ∇L²,     RMS = √MS_g,    RMS_norm = RMS / mean(RMS)
    θ_i  = θ_{i-1} − η ∇L(s_i) / (RMS + ε) + min(λ RMS_norm, 1) ∘ (θ_g − θ_{i-1})

θ_g are the trained weights, to which λ lets the others decay; the mean in RMS_norm is over all
weights of the model. η and λ are chosen on validation text.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from training.datasets import Corpus
from training.run.trainer import Trainer
from training.tasks.batches import encode_stream, stream_batches
from training.tasks.progress_bar import tracked
from zoo.errors import ZooError
from zoo.metrics import perplexity
from zoo.models.neural import NeuralLanguageModel
from zoo.types import Tensor

logger = logging.getLogger("zoo")

EPSILON = 1e-3  # in the place of RMS for weights, as of rare words, that hardly ever had a gradient
STATISTICS_BATCH, STATISTICS_WORDS = 32, 100_000  # of the training text, for MS_g
TUNING_WORDS = 10_000  # of the validation text
RATES, DECAYS = (5e-4, 1e-3, 2e-3, 4e-3), (0.005, 0.02, 0.08)


class Dynamics(NamedTuple):
    """η, λ, and how many words a segment has."""

    rate: float
    decay: float
    segment: int = 5


class SquaredGradients(keras.optimizers.Optimizer):
    """An optimizer that changes nothing and sums the squares of the gradients: N · MS_g."""

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        self.sums = [self.add_variable_from_reference(v, name="squares") for v in variables]

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        index = self._get_variable_index(variable)
        self.sums[index].assign_add(ops.square(ops.convert_to_tensor(gradient)))


class DecayingSGD(keras.optimizers.Optimizer):
    """The second equation of the module, with each weight's own rate and decay.

    Args:
        root_mean_squares: RMS of each variable.
        dynamics: η and λ.
    """

    def __init__(self, root_mean_squares: Sequence[np.ndarray], dynamics: Dynamics) -> None:
        super().__init__(learning_rate=dynamics.rate)
        mean = sum(float(r.sum()) for r in root_mean_squares)
        mean /= sum(r.size for r in root_mean_squares)
        decay = dynamics.decay / mean if mean else 0.0
        self.scales = [1 / (r + EPSILON) for r in root_mean_squares]
        self.decays = [np.minimum(decay * r, 1.0) for r in root_mean_squares]

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        groups = (self.scales, self.decays, [v.numpy() for v in variables])
        self.constants = [
            [self.add_variable_from_reference(v, "constant") for v in variables] for _ in groups
        ]
        for made, values in zip(self.constants, groups, strict=True):
            for variable, value in zip(made, values, strict=True):
                variable.assign(value)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        index = self._get_variable_index(variable)
        scale, decay, start = (group[index] for group in self.constants)
        moved = ops.cast(learning_rate, variable.dtype) * ops.convert_to_tensor(gradient) * scale
        variable.assign(variable - moved + decay * (start - variable))


def dynamic_rows(
    model: Any, corpus: Corpus, split: str, dynamics: Dynamics | None
) -> Iterator[dict[str, Any]]:
    """The perplexity of running text under dynamic evaluation; the model is left as it was.

    Args:
        model: a neural language model.
        corpus: running text, with the training text for MS_g.
        split: which part is scored.
        dynamics: η, λ and the segments' length; None for the best of a grid on validation text.

    Raises:
        ZooError: the model or the corpus is of another kind.
    """
    if not isinstance(model, NeuralLanguageModel) or not corpus.is_stream:
        raise ZooError(
            f"dynamic evaluation takes a neural language model and running text, not a "
            f"{type(model).__name__} and {corpus.name!r}"
        )
    encoded = [model.tokenizer.encode(text) for text in getattr(corpus, split)]
    stream, trained = encode_stream(encoded), training_stream(model, corpus)
    squares = root_mean_squares(model, trained, dynamics.segment if dynamics else 5)
    chosen = dynamics or tuned(model, corpus, squares)
    nats = dynamic_nats(model, stream, squares, chosen)
    yield {
        "metric": "perplexity",
        "value": perplexity(nats, len(stream)),
        "tokens": len(stream),
        "oov": sum(model.tokenizer.count_unknown(ids) for ids in encoded),
        "signature": f"one stream, state carried over, learnt from after each {chosen.segment} "
        f"words (rate {chosen.rate:g}, decay {chosen.decay:g}); <eos> and <unk> counted",
    }


def training_stream(model: NeuralLanguageModel, corpus: Corpus) -> np.ndarray:
    """As much training text as the statistics are taken from."""
    encoded, words = [], 0
    for text in corpus.train:
        encoded.append(model.tokenizer.encode(text))
        words += len(encoded[-1]) + 1
        if words >= STATISTICS_WORDS:
            break
    return encode_stream(encoded)


def tuned(model: NeuralLanguageModel, corpus: Corpus, squares: Sequence[np.ndarray]) -> Dynamics:
    """The rate and decay under which the beginning of the validation text is likeliest."""
    sentences = [model.tokenizer.encode(text) for text in corpus.valid]
    stream = encode_stream(sentences)[:TUNING_WORDS]
    found = {}
    for rate, decay in itertools.product(RATES, DECAYS):
        dynamics = Dynamics(rate, decay)
        found[dynamics] = dynamic_nats(model, stream, squares, dynamics)
        logger.info("%s: perplexity %.3f", dynamics, perplexity(found[dynamics], len(stream)))
    return min(found, key=lambda dynamics: found[dynamics])


def root_mean_squares(
    model: NeuralLanguageModel, stream: np.ndarray, segment: int
) -> list[np.ndarray]:
    """RMS of the gradient of each of the model's trained weights, over a text."""
    optimizer = SquaredGradients(learning_rate=0.0)
    steps = 0
    with as_it_was(model):
        trainer = scoring_trainer(model, STATISTICS_BATCH, optimizer)
        for batch in stream_batches(stream, STATISTICS_BATCH, segment):
            trainer.train_on_batch(batch)
            steps += 1
    return [np.sqrt(ops.convert_to_numpy(v.value) / steps) for v in optimizer.sums]


def dynamic_nats(
    model: NeuralLanguageModel,
    stream: np.ndarray,
    squares: Sequence[np.ndarray],
    dynamics: Dynamics,
) -> float:
    """Negative log-probability of a text that is learnt from, segment by segment."""
    nats = 0.0
    with as_it_was(model):
        trainer = scoring_trainer(model, 1, DecayingSGD(squares, dynamics))
        batches = stream_batches(stream, 1, dynamics.segment)
        for batch in tracked(batches, "dynamic", -(-len(stream) // dynamics.segment)):
            trainer.reset_metrics()  # or the mean of all segments so far is what comes back
            nats += float(trainer.train_on_batch(batch)) * float(batch["weights"].sum())
    return nats


def scoring_trainer(
    model: NeuralLanguageModel, rows: int, optimizer: keras.optimizers.Optimizer
) -> Trainer:
    """Steps that score running text, without dropout, and hand its gradients to an optimizer."""

    def loss(batch: Any, carried: dict[str, Any] | None, training: bool) -> tuple[Any, Any, Any]:
        hidden, state = model.features(batch["inputs"], carried)
        nats = model.summed_cross_entropy(hidden, batch["targets"], batch["weights"])
        return nats, ops.sum(batch["weights"]), state

    first = model.initial_state(rows)
    trainer = Trainer(model, loss, {name: ops.convert_to_numpy(v) for name, v in first.items()})
    trainer.compile(optimizer=optimizer, loss=None)
    optimizer.build(trainer.trainable_variables)
    return trainer


@contextmanager
def as_it_was(model: keras.Model) -> Iterator[None]:
    """The model's weights are what they were, after the block."""
    kept = model.get_weights()
    try:
        yield
    finally:
        model.set_weights(kept)
