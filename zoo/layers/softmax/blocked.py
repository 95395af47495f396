"""Cross entropy of a softmax over a large vocabulary, in blocks of rows.

For hidden vectors h_n, W and b, targets w_n and equation [7] in nats:

    J_n = log Σ_j exp(h_n W_j + b_j) − (h_n W_{w_n} + b_{w_n})
    δ_n = ∂J_n/∂logits_n = softmax(logits_n) − onehot(w_n)
    ∂J/∂h_n = g_n δ_n Wᵀ      ∂J/∂W = Σ_n h_nᵀ g_n δ_n      ∂J/∂b = Σ_n g_n δ_n

where g_n is the gradient that arrives at J_n. `blocked_softmax_cross_entropy` gives every J_n: it
keeps δ (one full set of the size of the logits) or, above a limit, computes each block's logits
again. `blocked_softmax_loss` gives Σ weight_n J_n: there g_n is the weight up to one factor, so
the gradient is formed block by block with the loss and never more than one block exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import keras
from keras import ops

from zoo.backend import gradient_is_recorded
from zoo.errors import ZooError
from zoo.layers.softmax.logits import pick, wide_dtype
from zoo.types import Tensor

Place: TypeAlias = int | Tensor  # known, or a scalar of the graph
Bounds: TypeAlias = list[tuple[Place, Place]]  # start and stop of each block of rows
Gradients: TypeAlias = tuple[Tensor, Tensor, Tensor]  # ∂J/∂h, ∂J/∂W, ∂J/∂b

KEEP_BELOW_BYTES = 1 << 28  # keep δ below 256 MiB, else compute the logits again
DEFAULT_BLOCKS = 4


def blocked_softmax_cross_entropy(
    hidden: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    weights: Tensor | None = None,
    block_rows: int | None = None,
    recompute: bool | None = None,
) -> Tensor:
    """Cross entropy [7] of every token, in nats, exact.

    Args:
        hidden: `[..., features]`, one h per token.
        kernel: W `[features, vocabulary]`.
        bias: b `[vocabulary]`, or None.
        targets: int `[...]`, the words that came; every value in [0, vocabulary).
        weights: `[...]` factors of the result, for example a padding mask; None for 1.
        block_rows: tokens a block where the number of tokens is static; None: four blocks.
        recompute: compute logits again in the gradient instead of keeping their softmax; None:
            only where they would take more than `KEEP_BELOW_BYTES`.

    Returns:
        float32 `[...]` (float64 for float64 inputs): weight × (−log p(target)).

    Raises:
        ZooError: block_rows below 1.

    Example:
        >>> import numpy as np
        >>> h, W = np.zeros((2, 3, 4), "float32"), np.zeros((4, 10), "float32")
        >>> nats = blocked_softmax_cross_entropy(h, W, None, np.zeros((2, 3), "int32"))
        >>> bool(np.allclose(nats, np.log(10)))
        True
    """
    rows, kernel, bias, flat = _flatten(hidden, kernel, bias, targets)
    bounds = _block_bounds(rows, block_rows)
    if recompute is None:
        size = (rows.shape[0] or 0) * kernel.shape[1] * 4
        recompute = size > KEEP_BELOW_BYTES
    if keras.backend.backend() == "torch" or not gradient_is_recorded():
        nats = _all_nats(rows, kernel, bias, flat, bounds)
    else:
        nats = _token_nats(rows, kernel, bias, flat, bounds, recompute)
    nats = ops.reshape(nats, ops.shape(targets))
    return nats if weights is None else nats * ops.cast(weights, nats.dtype)


def blocked_softmax_loss(
    hidden: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    weights: Tensor | None = None,
    block_rows: int | None = None,
) -> Tensor:
    """Weighted sum of the cross entropies [7] of all tokens, in nats, exact: the training loss.

    Cheaper than summing `blocked_softmax_cross_entropy`: one block of logits at any time and
    nothing computed twice. Divide by the sum of the weights for the mean. The gradient reaches
    `hidden`, `kernel` and `bias`, not `weights`. Arguments as above.

    Returns:
        float32 scalar.

    Example:
        >>> import numpy as np
        >>> h, W = np.zeros((2, 3, 4), "float32"), np.zeros((4, 10), "float32")
        >>> nats = blocked_softmax_loss(h, W, None, np.zeros((2, 3), "int32"))
        >>> bool(np.allclose(nats, 6 * np.log(10)))
        True
    """
    rows, kernel, bias, flat = _flatten(hidden, kernel, bias, targets)
    bounds = _block_bounds(rows, block_rows)
    if weights is None:
        factors = ops.ones(ops.shape(flat), dtype=wide_dtype(rows.dtype))
    else:
        factors = ops.cast(ops.reshape(weights, (-1,)), wide_dtype(rows.dtype))  # [tokens]
    if keras.backend.backend() == "torch" or not gradient_is_recorded():
        return ops.sum(_all_nats(rows, kernel, bias, flat, bounds) * factors)
    return _summed_nats(rows, kernel, bias, flat, factors, bounds)


def _all_nats(
    rows: Tensor, kernel: Tensor, bias: Tensor, targets: Tensor, bounds: Bounds
) -> Tensor:
    """J_n of every row, block by block."""
    return _concatenate([_block_nats(rows[a:b], kernel, bias, targets[a:b]) for a, b in bounds])


def _token_nats(
    rows: Tensor, kernel: Tensor, bias: Tensor, targets: Tensor, bounds: Bounds, recompute: bool
) -> Tensor:
    """J_n of every row, with δ kept or computed again for the gradient."""

    @ops.custom_gradient
    def run(
        rows: Tensor, kernel: Tensor, bias: Tensor
    ) -> tuple[Tensor, Callable[[Tensor], Gradients]]:
        def block(a: Place, b: Place) -> tuple[Tensor, Tensor]:
            return _nats_and_delta(rows[a:b], kernel, bias, targets[a:b])

        if recompute:
            nats = _all_nats(rows, kernel, bias, targets, bounds)
        else:
            each, deltas = zip(*(block(a, b) for a, b in bounds), strict=True)
            nats = _concatenate(each)

        def gradient(g: Tensor) -> Gradients:
            total = _Gradient(kernel)
            for k, (a, b) in enumerate(bounds):
                delta = block(a, b)[1] if recompute else deltas[k]
                total.add(rows[a:b], delta, g[a:b])
            return total.result()

        return nats, gradient

    return run(rows, kernel, bias)


def _summed_nats(
    rows: Tensor, kernel: Tensor, bias: Tensor, targets: Tensor, factors: Tensor, bounds: Bounds
) -> Tensor:
    """Σ factor_n J_n, with its gradient formed in the same pass."""

    @ops.custom_gradient
    def run(
        rows: Tensor, kernel: Tensor, bias: Tensor
    ) -> tuple[Tensor, Callable[[Tensor], Gradients]]:
        total, parts = _Gradient(kernel), []
        for a, b in bounds:
            block = _after(total.d_kernel, rows[a:b])
            nats, delta = _nats_and_delta(block, kernel, bias, targets[a:b])
            total.add(block, delta, factors[a:b])
            parts.append(ops.sum(nats * factors[a:b]))
        kept = total.result()

        def gradient(g: Tensor) -> Gradients:
            d_rows, d_kernel, d_bias = (ops.cast(g, d.dtype) * d for d in kept)
            return d_rows, d_kernel, d_bias

        return sum(parts[1:], parts[0]), gradient

    return run(rows, kernel, bias)


class _Gradient:
    """Sums ∂J/∂W and ∂J/∂b over blocks and collects ∂J/∂h."""

    def __init__(self, kernel: Tensor) -> None:
        self.kernel_t = ops.transpose(kernel)  # [vocabulary, features]
        self.d_rows: list[Tensor] = []
        self.d_kernel: Tensor | None = None
        self.d_bias: Tensor | None = None

    def add(self, rows: Tensor, delta: Tensor, g: Tensor) -> None:
        """One block: rows `[block, features]`, δ `[block, vocabulary]`, g `[block]`."""
        g = ops.expand_dims(ops.cast(g, delta.dtype), 1)
        # g scales the narrow factor of each product, so that δ is never copied.
        self.d_rows.append(ops.matmul(delta, self.kernel_t) * g)
        d_kernel = ops.matmul(ops.transpose(rows * g), delta)
        d_bias = ops.matmul(ops.transpose(g), delta)[0]
        self.d_kernel = d_kernel if self.d_kernel is None else self.d_kernel + d_kernel
        self.d_bias = d_bias if self.d_bias is None else self.d_bias + d_bias

    def result(self) -> Gradients:
        return _concatenate(self.d_rows), self.d_kernel, self.d_bias


def _logits(rows: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    product = ops.matmul(rows, kernel)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        logits = tf.nn.bias_add(product, bias)  # TensorFlow adds it within the product
    else:
        logits = product + bias
    return ops.cast(logits, wide_dtype(logits.dtype))


def _block_nats(rows: Tensor, kernel: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """J_n of one block, `[block]`."""
    logits = _logits(rows, kernel, bias)
    return _log_sum_exp(logits)[:, 0] - pick(logits, targets)


def _nats_and_delta(
    rows: Tensor, kernel: Tensor, bias: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """J_n `[block]` and δ_n `[block, vocabulary]` (in the compute dtype) of one block."""
    logits = _logits(rows, kernel, bias)
    if keras.backend.backend() == "tensorflow":
        nats, delta = _nats_and_delta_tensorflow(logits, targets)
    else:
        norm = _log_sum_exp(logits)
        nats = norm[:, 0] - pick(logits, targets)
        words = ops.expand_dims(ops.arange(logits.shape[1], dtype="int32"), 0)
        hit = ops.cast(words == ops.expand_dims(targets, 1), logits.dtype)
        delta = ops.exp(logits - norm) - hit
    return nats, ops.cast(delta, rows.dtype)


def _nats_and_delta_tensorflow(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """From one softmax: log Σ_j exp(z_j) = max z − log max p, as max p = exp(max z) / Σ_j exp(z_j).

    SparseSoftmaxCrossEntropyWithLogits does the same in three times the time.
    """
    import tensorflow as tf

    p = tf.nn.softmax(logits)
    norm = tf.reduce_max(logits, axis=1) - tf.math.log(tf.reduce_max(p, axis=1))
    places = tf.stack([tf.range(tf.shape(logits)[0]), targets], axis=1)  # [block, 2]
    ones = tf.ones_like(norm)
    return norm - pick(logits, targets), tf.tensor_scatter_nd_sub(p, places, ones)


def _log_sum_exp(logits: Tensor) -> Tensor:
    return ops.logsumexp(logits, axis=1, keepdims=True)


def _flatten(
    hidden: Tensor, kernel: Tensor, bias: Tensor | None, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`[tokens, features]`, kernel, bias, `[tokens]`, all tensors."""
    hidden, kernel = ops.convert_to_tensor(hidden), ops.convert_to_tensor(kernel)
    rows = ops.reshape(hidden, (-1, hidden.shape[-1]))
    bias = ops.zeros((kernel.shape[1],), kernel.dtype) if bias is None else bias
    flat = ops.reshape(ops.cast(targets, "int32"), (-1,))
    return rows, kernel, ops.cast(bias, rows.dtype), flat


def _block_bounds(rows: Tensor, block_rows: int | None) -> Bounds:
    """(start, stop) of each block."""
    if block_rows is not None and block_rows < 1:
        raise ZooError(f"block_rows must be at least 1 or None, got {block_rows!r}")
    count = rows.shape[0]
    if count is None:
        count = ops.shape(rows)[0]
        edges = [count * k // DEFAULT_BLOCKS for k in range(DEFAULT_BLOCKS + 1)]
    elif block_rows is None:
        blocks = max(1, min(DEFAULT_BLOCKS, count))
        edges = [count * k // blocks for k in range(blocks + 1)]
    else:
        edges = [*range(0, max(count, 1), block_rows), count]
    return list(pairwise(edges))


def _after(done: Tensor | None, value: Tensor) -> Tensor:
    """`value`, computed only once `done` is: TensorFlow would hold several blocks at a time."""
    if done is None or keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    with tf.control_dependencies([done]):
        return tf.identity(value)


def _concatenate(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=0)
