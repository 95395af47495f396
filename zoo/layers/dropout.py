"""Dropout over sequences: one mask for all time steps, and whole words at the embedding.

With h the sequence and m a mask of independent entries, 1/(1−p) with probability 1−p and else 0:
    locked dropout      y_t = m ∘ h_t                one m for all t (Gal and Ghahramani 2016)
    embedding dropout   E' = m_w E_w for each word w: a dropped word is dropped wherever it occurs
Both as used in the AWD-LSTM (Merity et al. 2018, arXiv 1708.02182).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.types import Shape, Tensor


def draw_masks(
    like: Tensor, rate: float, count: int, seed: keras.random.SeedGenerator
) -> list[Tensor]:
    """`count` dropout masks of the shape of `like`, as Keras's recurrent cells draw them."""
    ones = ops.ones_like(like)
    return [keras.random.dropout(ones, rate, seed=seed) for _ in range(count)]


def check_rate(name: str, rate: float) -> float:
    if not 0 <= rate < 1:
        raise ZooError(f"{name} must be in [0, 1), got {rate!r}")
    return rate


@keras.saving.register_keras_serializable(package="zoo")
class LockedDropout(keras.layers.Layer):
    """Dropout with the same mask at every time step ("variational" dropout).

    Args:
        rate: share of the features dropped, in [0, 1).
        seed: seed of the masks.

    Call arguments: `inputs` `[batch, time, features]`; `training`. Nothing happens outside
    training.

    Example:
        >>> import numpy as np
        >>> LockedDropout(0.5)(np.ones((2, 3, 4), "float32"), training=False).shape
        TensorShape([2, 3, 4])
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = check_rate("rate", rate)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed=seed)
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or not self.rate:
            return inputs
        batch, _, features = ops.shape(inputs)
        shape = (batch, 1, features)
        return keras.random.dropout(inputs, self.rate, noise_shape=shape, seed=self.seed_generator)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="zoo")
class EmbeddingDropout(keras.layers.Embedding):
    """`keras.layers.Embedding` that drops whole words in training.

    Args:
        input_dim: vocabulary size.
        output_dim: size of a word vector.
        rate: share of the words dropped in each training call, in [0, 1).
        seed: seed of the masks.
        **kwargs: as in `keras.layers.Embedding` (`mask_zero=True` masks padding).

    Call arguments: `inputs` int `[batch, time]`; `training`.

    Example:
        >>> import numpy as np
        >>> EmbeddingDropout(10, 4, rate=0.1)(np.array([[1, 2]])).shape
        TensorShape([1, 2, 4])
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        rate: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(input_dim, output_dim, **kwargs)
        self.rate = check_rate("rate", rate)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed=seed)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        vectors = super().call(inputs)
        if not training or not self.rate:
            return vectors
        ones = ops.ones((self.input_dim, 1), dtype=vectors.dtype)
        words = keras.random.dropout(ones, self.rate, seed=self.seed_generator)
        return vectors * ops.take(words, ops.cast(inputs, "int32"), axis=0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def word_vectors(
    vocabulary_size: int, width: int, dropout: float = 0.0, scale: float | None = None
) -> EmbeddingDropout:
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
    return EmbeddingDropout(
        vocabulary_size, width, rate=dropout, embeddings_initializer=start, name="embedding"
    )
