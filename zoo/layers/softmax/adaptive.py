"""Adaptive softmax (Grave et al. 2017, arXiv 1609.04309): most arithmetic for frequent words.

The vocabulary, sorted by falling frequency, is cut at V_0 < V_1 < ... into a head and tails. With
C tails the head's softmax has V_0 words and one entry a tail; tail k is given a projection of h to
rank d_k = features / factor^k:

    p(w | h) = softmax_head(w)                                   w in the head
    p(w | h) = softmax_head(tail k) · softmax_k(h P_k)_w         w in tail k

The probabilities are exact and sum to 1, so a model trained with it is evaluated with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.softmax.logits import pick
from zoo.types import InitializerLike, Shape, Tensor


@keras.saving.register_keras_serializable(package="zoo")
class AdaptiveSoftmax(keras.layers.Layer):
    """Output layer whose softmax is factored into a head and tails.

    Args:
        vocabulary_size: number of words, sorted by falling frequency.
        cutoffs: increasing word ids below `vocabulary_size` at which a tail begins.
        factor: how much narrower each tail's view of h is than the one before.
        kernel_initializer: initializer of the matrices.

    Call arguments: `inputs` `[..., features]`. Returns log-probabilities `[..., vocabulary]`,
    float32. `cross_entropy` gives the nats of given targets without that full set.

    Raises:
        ZooError: cutoffs not increasing inside (0, vocabulary_size).

    Example:
        >>> import numpy as np
        >>> layer = AdaptiveSoftmax(100, cutoffs=[10, 40])
        >>> p = np.exp(layer(np.ones((2, 8), "float32")))
        >>> p.shape, bool(np.allclose(p.sum(-1), 1, atol=1e-5))
        ((2, 100), True)
    """

    def __init__(
        self,
        vocabulary_size: int,
        cutoffs: Sequence[int],
        factor: int = 4,
        kernel_initializer: InitializerLike = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        edges = [0, *cutoffs, vocabulary_size]
        if len(edges) < 3 or any(a >= b for a, b in pairwise(edges)):
            raise ZooError(
                f"cutoffs must increase inside (0, {vocabulary_size}), got {list(cutoffs)}"
            )
        if factor < 1:
            raise ZooError(f"factor must be at least 1, got {factor!r}")
        self.vocabulary_size = vocabulary_size
        self.cutoffs = list(cutoffs)
        self.factor = factor
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Shape) -> None:
        features = input_shape[-1]
        tails = len(self.cutoffs)
        self.head_kernel = self._matrix("head_kernel", features, self.cutoffs[0] + tails)
        self.head_bias = self.add_weight(
            name="head_bias", shape=(self.cutoffs[0] + tails,), initializer="zeros"
        )
        edges = [*self.cutoffs, self.vocabulary_size]
        self.tail_kernels = []
        for k in range(tails):
            rank = max(1, features // self.factor ** (k + 1))
            down = self._matrix(f"tail_{k}_projection", features, rank)
            self.tail_kernels.append(
                [down, self._matrix(f"tail_{k}_kernel", rank, edges[k + 1] - edges[k])]
            )

    def _matrix(self, name: str, rows: int, columns: int) -> keras.Variable:
        return self.add_weight(
            name=name, shape=(rows, columns), initializer=self.kernel_initializer
        )

    def _head(self, h: Tensor) -> Tensor:
        logits = ops.matmul(h, ops.cast(self.head_kernel, h.dtype))
        return _log_softmax(logits + ops.cast(self.head_bias, h.dtype))

    def _tail(self, h: Tensor, k: int) -> Tensor:
        down, up = (ops.cast(w, h.dtype) for w in self.tail_kernels[k])
        return _log_softmax(ops.matmul(ops.matmul(h, down), up))

    def call(self, inputs: Tensor) -> Tensor:
        h = ops.cast(inputs, self.compute_dtype)
        head = self._head(h)
        head_size = self.cutoffs[0]
        parts = [head[..., :head_size]]
        for k in range(len(self.cutoffs)):
            parts.append(head[..., head_size + k : head_size + k + 1] + self._tail(h, k))
        return ops.concatenate(parts, axis=-1)

    def cross_entropy(
        self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """−log p(target) of every token in nats, exact.

        Args:
            inputs: `[..., features]`.
            targets: int `[...]`.
            weights: `[...]` factors of the result, or None.
        """
        if not self.built:
            self.build(inputs.shape)
        h, words = ops.cast(inputs, self.compute_dtype), ops.cast(targets, "int32")
        head_size = self.cutoffs[0]
        tail = sum(ops.cast(words >= cut, "int32") for cut in self.cutoffs)  # 0: in the head
        entry = ops.where(tail == 0, words, head_size + tail - 1)
        log_prob = pick(self._head(h), entry)
        edges = [*self.cutoffs, self.vocabulary_size]
        for k in range(len(self.cutoffs)):
            within = ops.clip(words - edges[k], 0, edges[k + 1] - edges[k] - 1)
            picked = pick(self._tail(h, k), within)
            log_prob = log_prob + ops.where(tail == k + 1, picked, ops.zeros_like(picked))
        return -log_prob if weights is None else -log_prob * ops.cast(weights, log_prob.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.vocabulary_size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "cutoffs": self.cutoffs,
            "factor": self.factor,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _log_softmax(logits: Tensor) -> Tensor:
    return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
