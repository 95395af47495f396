"""A mixture of softmaxes: more than one distribution of low rank (Yang et al. 2018, 1711.03953).

    π_k  = softmax(W^(π) h)_k,   h_k = tanh(W^(k) h + b^(k))             k = 1 ... K
    p(w) = Σ_k π_k softmax(W^(S) h_k + b)_w

The logarithm of one softmax's probabilities has at most the rank of h over all contexts; a mixture
of several has no such bound. The matrix over the vocabulary is one for all K.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="zoo")
class MixtureOfSoftmaxes(keras.layers.Layer):
    """The vectors h_k and the logarithms of the weights π_k.

    Args:
        mixtures: K, 2 or more.
        width: of each h_k, which is what the output over the vocabulary reads.

    Call arguments: `inputs` h `[..., features]`. Returns h_k `[..., K, width]` and log π
    `[..., K]`, float32; `log_probs` and `cross_entropy` make the mixture of what an output layer
    says of each h_k.

    Raises:
        ZooError: fewer than two mixtures, or no width.

    Example:
        >>> import numpy as np
        >>> vectors, log_shares = MixtureOfSoftmaxes(3, width=5)(np.ones((2, 4), "float32"))
        >>> vectors.shape, log_shares.shape
        (TensorShape([2, 3, 5]), TensorShape([2, 3]))
    """

    def __init__(self, mixtures: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mixtures < 2 or width < 1:
            raise ZooError(f"mixtures={mixtures!r}, width={width!r}: give at least 2 and 1")
        self.mixtures = mixtures
        self.width = width
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        features, size = input_shape[-1], self.mixtures * self.width
        self.kernel = self.add_weight(name="kernel", shape=(features, size))
        self.bias = self.add_weight(name="bias", shape=(size,), initializer="zeros")
        self.shares_kernel = self.add_weight(name="shares_kernel", shape=(features, self.mixtures))

    def call(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        h = ops.cast(inputs, self.compute_dtype)
        kernel, bias, shares = (
            ops.cast(w, h.dtype) for w in (self.kernel, self.bias, self.shares_kernel)
        )
        flat = ops.tanh(ops.matmul(h, kernel) + bias)  # [..., K * width]
        vectors = ops.reshape(flat, (*ops.shape(h)[:-1], self.mixtures, self.width))
        return vectors, ops.log_softmax(ops.cast(ops.matmul(h, shares), "float32"), axis=-1)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> None:
        """None: a mask has done its work where the vectors were made."""

    def log_probs(self, inputs: Tensor, of_vectors: Callable[[Tensor], Tensor]) -> Tensor:
        """log p of every word, float32 [..., vocabulary].

        Args:
            inputs: h.
            of_vectors: an output layer's log-probabilities of vectors [..., width].
        """
        vectors, log_shares = self(inputs)
        each = of_vectors(vectors)  # [..., K, vocabulary]
        return ops.logsumexp(each + ops.cast(log_shares, each.dtype)[..., None], axis=-2)

    def cross_entropy(
        self, inputs: Tensor, targets: Tensor, of_vectors: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """−log p of each target [...], in nats.

        Args:
            inputs: h.
            targets: int [...].
            of_vectors: an output layer's cross entropy of vectors [..., width] and targets [...].
        """
        vectors, log_shares = self(inputs)
        repeated = ops.repeat(ops.expand_dims(targets, -1), self.mixtures, axis=-1)
        nats = of_vectors(vectors, repeated)  # [..., K]
        return -ops.logsumexp(ops.cast(log_shares, nats.dtype) - nats, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mixtures": self.mixtures, "width": self.width}
