"""Sampled softmax: a cheaper training loss for a very large vocabulary (Jean et al. 2015).

The sum over the vocabulary in [7] is replaced by one over the target and S sampled words, each
logit corrected by the expected number of times its word is sampled, Q(w):

    s_v = h W_v + b_v − log Q(v)
    J = −log( exp(s_w) / (exp(s_w) + Σ_{v in sample, v ≠ w} exp(s_v)) )

Words are sampled from the log-uniform distribution p(v) = log((v + 2)/(v + 1)) / log(V + 1), which
suits a vocabulary sorted by falling frequency. For training only: evaluate with
`blocked_softmax_cross_entropy`, which is exact.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError

Tensor = Any


def sampled_softmax_cross_entropy(
    hidden: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    samples: int,
    weights: Tensor | None = None,
    seed: Any = None,
) -> Tensor:
    """Estimated cross entropy of every token, in nats.

    Args:
        hidden: `[..., features]`.
        kernel: W `[features, vocabulary]`, words sorted by falling frequency.
        bias: b `[vocabulary]`, or None.
        targets: int `[...]`.
        samples: S, words sampled in each call (shared by all tokens, with replacement).
        weights: `[...]` factors of the result, or None.
        seed: an int or a `keras.random.SeedGenerator`; a fixed int draws the same words each time.

    Returns:
        float32 `[...]`.

    Raises:
        ZooError: samples below 1.

    Example:
        >>> import numpy as np
        >>> h, W = np.zeros((3, 4), "float32"), np.zeros((4, 10), "float32")
        >>> sampled_softmax_cross_entropy(h, W, None, np.array([1, 2, 3]), samples=5, seed=1).shape
        TensorShape([3])
    """
    if samples < 1:
        raise ZooError(f"samples must be at least 1, got {samples!r}")
    hidden, kernel = ops.convert_to_tensor(hidden), ops.convert_to_tensor(kernel)
    vocabulary = kernel.shape[1]
    bias = ops.zeros((vocabulary,), kernel.dtype) if bias is None else ops.convert_to_tensor(bias)
    rows = ops.reshape(hidden, (-1, hidden.shape[-1]))  # [tokens, features]
    words = ops.reshape(ops.cast(targets, "int32"), (-1,))  # [tokens]
    drawn = log_uniform_words(samples, vocabulary, seed)  # [samples]
    chosen = ops.concatenate([words, drawn], axis=0)
    columns = ops.take(kernel, chosen, axis=1)  # [features, tokens + samples]
    offset = ops.take(bias, chosen) - ops.cast(
        log_expected(chosen, samples, vocabulary), bias.dtype
    )
    count = ops.shape(rows)[0]
    true = ops.sum(rows * ops.transpose(columns[:, :count]), axis=1) + offset[:count]
    others = ops.matmul(rows, columns[:, count:]) + offset[count:]  # [tokens, samples]
    accidental = ops.expand_dims(words, 1) == ops.expand_dims(drawn, 0)
    others = ops.where(accidental, ops.full_like(others, -1e30), others)
    logits = ops.concatenate([ops.expand_dims(true, 1), others], axis=1)
    nats = ops.logsumexp(ops.cast(logits, "float32"), axis=1) - ops.cast(true, "float32")
    nats = ops.reshape(nats, ops.shape(targets))
    return nats if weights is None else nats * ops.cast(weights, nats.dtype)


def log_uniform_words(samples: int, vocabulary: int, seed: Any = None) -> Tensor:
    """`samples` words from the log-uniform distribution over `vocabulary`: int32 `[samples]`."""
    uniform = keras.random.uniform((samples,), seed=seed)
    words = ops.cast(ops.floor(ops.exp(uniform * math.log(vocabulary + 1))), "int32") - 1
    return ops.clip(words, 0, vocabulary - 1)


def log_expected(words: Tensor, samples: int, vocabulary: int) -> Tensor:
    """log Q(w): how often each word is expected in a sample."""
    w = ops.cast(words, "float32")
    probability = ops.log((w + 2) / (w + 1)) / math.log(vocabulary + 1)
    return ops.log(samples * probability)
