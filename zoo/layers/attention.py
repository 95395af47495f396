"""Additive attention over an encoder's states (Bahdanau et al. 2015, arXiv 1409.0473).

    e_tj = v · tanh(W_q q_t + W_m m_j + b)      score of memory j for query t
    α_tj = exp(e_tj) / Σ_k exp(e_tk)            over the unmasked memories
    c_t  = Σ_j α_tj m_j                         context

W_m m_j does not depend on t: `keys` computes it once for a whole decoding.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.softmax.logits import wide_dtype
from zoo.types import InitializerLike, Shape, Tensor


@keras.saving.register_keras_serializable(package="zoo")
class BahdanauAttention(keras.layers.Layer):
    """Additive attention.

    Args:
        units: size of the space in which queries and memories are compared.
        kernel_initializer: initializer of W_q, W_m and v.

    Call arguments:
        query: `[batch, query features]`, or `[batch, time, query features]`.
        memory: `[batch, source, memory features]`.
        memory_mask: `[batch, source]` bool; False entries get no weight. A row without any
            unmasked memory has a context of zeros.
        keys: what `keys(memory)` returned, to save computing it at each step.

    Returns:
        `(context, weights)`: `[batch, (time,) memory features]` and `[batch, (time,) source]`.

    Example:
        >>> import numpy as np
        >>> attention = BahdanauAttention(8)
        >>> context, weights = attention(np.ones((2, 5), "float32"), np.ones((2, 3, 4), "float32"))
        >>> context.shape, weights.shape
        (TensorShape([2, 4]), TensorShape([2, 3]))
    """

    def __init__(
        self, units: int, kernel_initializer: InitializerLike = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ZooError(f"units must be at least 1, got {units!r}")
        self.units = int(units)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, query_shape: Shape, memory_shape: Shape, *_: Any, **__: Any) -> None:
        make = self.kernel_initializer
        units = self.units
        self.query_kernel = self.add_weight(
            name="query_kernel", shape=(query_shape[-1], units), initializer=make
        )
        self.memory_kernel = self.add_weight(
            name="memory_kernel", shape=(memory_shape[-1], units), initializer=make
        )
        self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
        self.score_kernel = self.add_weight(name="score_kernel", shape=(units, 1), initializer=make)

    def keys(self, memory: Tensor) -> Tensor:
        """W_m m_j + b: `[batch, source, features] -> [batch, source, units]`."""
        return ops.matmul(self._cast(memory), self._cast(self.memory_kernel)) + self._cast(
            self.bias
        )

    def call(
        self,
        query: Tensor,
        memory: Tensor,
        memory_mask: Tensor | None = None,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        one_step = len(query.shape) == 2
        if one_step:
            query = ops.expand_dims(query, 1)
        memory = self._cast(memory)
        projected_query = ops.matmul(self._cast(query), self._cast(self.query_kernel))
        keys = self.keys(memory) if keys is None else keys
        hidden = ops.tanh(ops.expand_dims(projected_query, 2) + ops.expand_dims(keys, 1))
        scores = ops.matmul(hidden, self._cast(self.score_kernel))  # [batch, time, source, 1]
        weights = masked_softmax(ops.squeeze(scores, -1), memory_mask)  # [batch, time, source]
        context = ops.matmul(weights, memory)  # [batch, time, features]
        if one_step:
            return ops.squeeze(context, 1), ops.squeeze(weights, 1)
        return context, weights

    def _cast(self, x: Tensor) -> Tensor:
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(
        self, query_shape: Shape, memory_shape: Shape, *_: Any
    ) -> tuple[Shape, Shape]:
        leading = tuple(query_shape[:-1])
        return (*leading, memory_shape[-1]), (*leading, memory_shape[1])

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": initializer,
        }


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the unmasked entries, in float32 at least; all zeros where everything is masked.

    Args:
        scores: `[batch, time, source]`.
        mask: `[batch, source]` bool, or None.
    """
    dtype = scores.dtype
    wide = ops.cast(scores, wide_dtype(dtype))
    if mask is None:
        return ops.cast(ops.softmax(wide, axis=-1), dtype)
    keep = ops.expand_dims(ops.cast(mask, "bool"), 1)  # [batch, 1, source]
    weights = ops.softmax(ops.where(keep, wide, ops.full_like(wide, -1e30)), axis=-1)
    return ops.cast(ops.where(keep, weights, ops.zeros_like(weights)), dtype)
