"""What the Keras models of the zoo share: settings, compiled calls, weights in a preset."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from zoo import layers
from zoo.errors import ZooError
from zoo.models.base import PresetModel
from zoo.models.compiled import CompiledMethods
from zoo.models.language_model import checked_count
from zoo.presets import weights
from zoo.text import Tokenizer, load_tokenizer
from zoo.types import Tensor


class KerasModel(CompiledMethods, PresetModel, keras.Model):
    """A Keras model with a tokenizer, built from plain settings.

    A subclass's constructor sets `self.settings` (its keyword arguments, as a dataclass) and its
    layers, and ends with all weights created.
    """

    settings: Any  # a frozen dataclass of the family's own
    output_projection: layers.VocabularyOutput
    mixture: layers.MixtureOfSoftmaxes | None = None  # between hidden vectors and the output

    def __init__(self, tokenizer: Tokenizer, **kwargs: Any) -> None:
        keras.Model.__init__(self, **kwargs)
        self.tokenizer = tokenizer
        self._compiled = {}

    def variables_read(self) -> list[keras.Variable]:
        return list(self.variables)

    def cross_entropy(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """-log P(target) [7] in nats, [...], of targets [...] given hidden vectors [..., width]."""
        output = self.output_projection

        def nats(vectors: Tensor, words: Tensor) -> Tensor:
            return layers.blocked_softmax_cross_entropy(vectors, output.kernel, output.bias, words)

        if self.mixture is None:
            return nats(hidden, targets)
        return self.mixture.cross_entropy(hidden, targets, nats)

    def summed_cross_entropy(self, hidden: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Weighted sum of `cross_entropy` over all tokens: the training loss, a scalar."""
        output = self.output_projection
        if self.mixture is not None:
            nats = self.cross_entropy(hidden, targets)
            return ops.sum(nats * ops.cast(weights, nats.dtype))
        return layers.blocked_softmax_loss(hidden, output.kernel, output.bias, targets, weights)

    def log_softmax(self, hidden: Tensor, kernel: Tensor | None = None) -> Tensor:
        """Natural-log probabilities [..., vocabulary] float32 of hidden vectors [..., width].

        Args:
            kernel: the output's matrix where a loop has read it before; None reads it here.

        An export whose device has better ops gives one model another `log_softmax` for a while, as
        an attribute of the instance (export/tflite/softmax.py); every distribution ends here.
        """
        if self.mixture is not None:
            return self.mixture.log_probs(hidden, self._log_softmax)
        return self._log_softmax(hidden, kernel)

    def _log_softmax(self, vectors: Tensor, kernel: Tensor | None = None) -> Tensor:
        output = self.output_projection
        logits = output(vectors) if kernel is None else output.logits(vectors, kernel)
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)

    def parameter_count(self) -> int:
        return int(sum(np.prod(w.shape, dtype=np.int64) for w in self.trainable_weights))

    def get_preset_config(self) -> dict[str, Any]:
        return asdict(self.settings)

    def get_config(self) -> dict[str, Any]:
        return self.get_preset_config()

    def write_assets(self, directory: Path, dtype: str) -> None:
        self.tokenizer.save(directory)
        weights.save_weights(self, directory, dtype)

    @classmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        tokenizer = load_tokenizer(directory)
        weights.check_sizes(directory, config, tokenizer.vocabulary_size)
        model = cls(tokenizer, **config)
        weights.load_weights(model, directory)
        return model


def word_vectors(
    vocabulary_size: int, width: int, dropout: float = 0.0, scale: float | None = None
) -> layers.EmbeddingDropout:
    """The layer of the word vectors x_t.

    Args:
        vocabulary_size, width: shape of the matrix.
        dropout: whole words, for a whole sequence.
        scale: standard deviation at the start; None for Keras's uniform ±0.05.

    Raises:
        ZooError: the scale is not a number above 0.
    """
    if scale is not None and not 0 < scale < math.inf:
        raise ZooError(f"word_scale={scale!r}: give a standard deviation above 0, or None")
    start = "uniform" if scale is None else keras.initializers.RandomNormal(stddev=scale)
    return layers.EmbeddingDropout(
        vocabulary_size, width, rate=dropout, embeddings_initializer=start, name="embedding"
    )


def positive(name: str, value: int) -> int:
    """A size given to a constructor, checked."""
    return checked_count(name, value, 1_000_000)
