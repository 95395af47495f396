"""Sampled softmax: a cheaper training loss for a large vocabulary (Jean et al. 2015).

The sum over the vocabulary in [7] is replaced by one over the target and S sampled words, each
logit corrected by the probability Q(v) that its word is in the sample:

    s_v = h W_v + b_v − log Q(v)
    J = −log( exp(s_w) / (exp(s_w) + Σ_{v in sample, v ≠ w} exp(s_v)) )

Q(v) = min(1, λ / (v + 1)), which suits a vocabulary sorted by falling frequency: the commonest
words are always in, the others in turn. λ makes Σ Q(v) = S. The sample is systematic: with the
words of Q < 1 in random order, their Q cumulated to C, and one u from [0, 1), it is the words at
which C first passes u, u + 1, u + 2, ... So it has S different words, each with probability Q(v)
exactly, and with S = V the loss is the exact one. (In a fixed order the same words would always
meet in a sample, and the loss would favour some.) For training only: evaluate with
`blocked_softmax_cross_entropy`.
"""

from __future__ import annotations

from typing import TypeAlias

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.types import Tensor

Seed: TypeAlias = int | keras.random.SeedGenerator | None

NEARLY_ALWAYS = 0.999  # Q above it counts as 1, so that rounding cannot draw a word twice


def sampled_softmax_cross_entropy(
    hidden: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    samples: int,
    weights: Tensor | None = None,
    seed: Seed = None,
) -> Tensor:
    """Estimated cross entropy of every token, in nats.

    Args:
        hidden: `[..., features]`.
        kernel: W `[features, vocabulary]`, words sorted by falling frequency.
        bias: b `[vocabulary]`, or None.
        targets: int `[...]`.
        samples: S, different words sampled in each call, shared by all tokens; the whole
            vocabulary where it is smaller.
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
    hidden, kernel = ops.convert_to_tensor(hidden), ops.convert_to_tensor(kernel)
    vocabulary = kernel.shape[1]
    bias = ops.zeros((vocabulary,), kernel.dtype) if bias is None else ops.convert_to_tensor(bias)
    rows = ops.reshape(hidden, (-1, hidden.shape[-1]))  # [tokens, features]
    words = ops.reshape(ops.cast(targets, "int32"), (-1,))  # [tokens]
    shares = inclusion_probabilities(samples, vocabulary)
    offset = ops.cast(bias, "float32") - np.log(shares).astype("float32")  # [vocabulary]
    sampled = systematic_sample(shares, seed)  # [samples]
    nats = ops.reshape(_token_nats(rows, kernel, offset, words, sampled), ops.shape(targets))
    return nats if weights is None else nats * ops.cast(weights, nats.dtype)


def _token_nats(
    rows: Tensor, kernel: Tensor, offset: Tensor, words: Tensor, sampled: Tensor
) -> Tensor:
    """J of every row, `[tokens]`, for target `words` `[tokens]`; offset is b − log Q."""
    by_word = ops.transpose(kernel)  # [vocabulary, features]: a word's vector lies together
    target_vectors, others = ops.take(by_word, words, axis=0), ops.take(by_word, sampled, axis=0)
    true = ops.sum(_wide(rows) * _wide(target_vectors), axis=1) + ops.take(offset, words)
    others = _wide(ops.matmul(rows, ops.transpose(others))) + ops.take(offset, sampled)
    accidental = ops.expand_dims(words, 1) == ops.expand_dims(sampled, 0)
    others = ops.where(accidental, ops.full_like(others, -1e30), others)  # [tokens, samples]
    logits = ops.concatenate([ops.expand_dims(true, 1), others], axis=1)
    return ops.logsumexp(logits, axis=1) - true


def inclusion_probabilities(samples: int, vocabulary: int) -> np.ndarray:
    """Q of every word, `[vocabulary]` float64, summing to `samples` (at most `vocabulary`).

    Raises:
        ZooError: samples below 1.
    """
    if samples < 1:
        raise ZooError(f"samples must be at least 1, got {samples!r}")
    samples = min(samples, vocabulary)
    falling = 1.0 / (np.arange(vocabulary) + 1.0)
    always = 0  # so many of the commonest words have Q = 1
    while True:
        rest = falling[always:]
        scaled = rest * ((samples - always) / rest.sum()) if len(rest) else rest
        too_large = int((scaled > NEARLY_ALWAYS).sum())
        if not too_large:
            return np.concatenate([np.ones(always), scaled])
        always += too_large


def systematic_sample(shares: np.ndarray, seed: Seed = None) -> Tensor:
    """Different words, each with its probability in `shares`: int32 `[sum of shares]`.

    Args:
        shares: as `inclusion_probabilities` gives them, those of 1 first.
        seed: an int or a `keras.random.SeedGenerator`.
    """
    always = int((shares == 1).sum())
    count = round(float(shares.sum())) - always
    head = ops.arange(always, dtype="int32")
    if not count:
        return head
    rest = ops.arange(always, len(shares), dtype="int32")
    order = keras.random.shuffle(rest, seed=seed)
    probability = ops.take(ops.convert_to_tensor(shares.astype("float32")), order)
    passed = ops.cumsum(probability)  # its last entry may be rounded: the last word takes the rest
    other = seed + 1 if isinstance(seed, int) else seed  # u must not depend on the order
    points = keras.random.uniform((), seed=other) + ops.arange(count, dtype="float32")
    places = ops.searchsorted(passed[:-1], points, side="right")
    return ops.concatenate([head, ops.take(order, places)])


def _wide(x: Tensor) -> Tensor:
    """Sums are taken in float32 whatever the products' width."""
    return ops.cast(x, "float32")
