"""The output layer over the vocabulary, equations [6] and [25] before the softmax.

    logits_t = h_t W^(S) + b,   ŷ_t = softmax(logits_t)

Tied to an embedding E, W^(S) = Eᵀ (Press and Wolf 2017, arXiv 1608.05859).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.softmax.logits import wide_dtype
from zoo.types import InitializerLike, Shape, Tensor


@keras.saving.register_keras_serializable(package="zoo")
class VocabularyOutput(keras.layers.Layer):
    """logits = h W + b over the vocabulary, optionally with an embedding's matrix as W.

    Args:
        vocabulary_size: number of words.
        tied_to: a built or unbuilt `keras.layers.Embedding` whose transposed matrix is W; its
            word vectors must have the size of h. None for a matrix of its own.
        use_bias: add b.
        kernel_initializer: initializer of W where it is not tied.

    Call arguments: `inputs` `[..., features]`. Returns logits `[..., vocabulary]` in float32
    whatever the layer's compute dtype, for a softmax that keeps small probabilities.

    Raises:
        ZooError: the size of h differs from that of the tied word vectors.

    Example:
        >>> import numpy as np
        >>> VocabularyOutput(10)(np.ones((2, 3, 4), "float32")).shape
        TensorShape([2, 3, 10])
    """

    def __init__(
        self,
        vocabulary_size: int,
        tied_to: keras.layers.Embedding | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if vocabulary_size < 1:
            raise ZooError(f"vocabulary_size must be at least 1, got {vocabulary_size!r}")
        self.vocabulary_size = vocabulary_size
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        # Behind a function, so that the embedding's weights stay the embedding's alone.
        self._tied_to = None if tied_to is None else (lambda: tied_to)

    def build(self, input_shape: Shape) -> None:
        size = input_shape[-1]
        self.own_kernel = None
        if self._tied_to is None:
            self.own_kernel = self.add_weight(
                name="kernel",
                shape=(size, self.vocabulary_size),
                initializer=self.kernel_initializer,
            )
        else:
            self._check_embedding(size)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.vocabulary_size,), initializer="zeros"
            )

    def _check_embedding(self, size: int) -> None:
        embedding = self._tied_to()  # type: ignore[misc]
        shape = (embedding.input_dim, embedding.output_dim)
        if shape != (self.vocabulary_size, size):
            raise ZooError(
                f"tied_to must be an embedding of {(self.vocabulary_size, size)}, got {shape}: "
                "give both the same size or leave tied_to out"
            )
        if not embedding.built:
            embedding.build()

    @property
    def kernel(self) -> Tensor:
        """W, `[features, vocabulary]`, in the compute dtype."""
        if self.own_kernel is not None:
            return ops.cast(self.own_kernel, self.compute_dtype)
        matrix = self._tied_to().embeddings  # type: ignore[misc]
        return ops.transpose(ops.cast(matrix, self.compute_dtype))

    def call(self, inputs: Tensor) -> Tensor:
        return self.logits(inputs, self.kernel)

    def logits(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """The call's value for a `kernel` read before, so that a loop transposes it only once."""
        logits = ops.matmul(ops.cast(inputs, self.compute_dtype), kernel)
        logits = ops.cast(logits, wide_dtype(self.compute_dtype))
        return logits if self.bias is None else logits + ops.cast(self.bias, logits.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.vocabulary_size)

    def get_config(self) -> dict[str, Any]:
        if self._tied_to is not None:
            raise ZooError("a tied VocabularyOutput has no config of its own: rebuild its model")
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
