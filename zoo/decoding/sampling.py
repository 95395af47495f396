"""How the next token is chosen from its distribution: small values, no state.

A sampler turns log-probabilities into the distribution that it draws from; the draw itself is by
inverse transform from one uniform number a token, so a seed decides the text on every backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import ops

from zoo.decoding.selection import top_k
from zoo.errors import ZooError
from zoo.types import Tensor

NEVER = -1e30
IMPOSSIBLE = NEVER / 2  # a log-probability or score below was never a possibility
FEW = 64  # tokens that as a rule have the probability asked for


@dataclass(frozen=True)
class Greedy:
    """Always the likeliest token."""

    def choose(self, log_probs: Tensor, uniform: Tensor) -> Tensor:
        """Token ids [rows] from log-probabilities [rows, vocabulary]."""
        return ops.cast(ops.argmax(log_probs, axis=-1), "int32")


@dataclass(frozen=True)
class Sample:
    """A draw from the whole distribution, sharpened (temperature < 1) or flattened (> 1)."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not is_number(self.temperature) or not 0 < self.temperature < float("inf"):
            raise ZooError(f"temperature={self.temperature!r}: give a number above 0")

    def choose(self, log_probs: Tensor, uniform: Tensor) -> Tensor:
        """Token ids [rows] from log-probabilities [rows, vocabulary] and uniform numbers [rows]."""
        # Shifted before the division, so that the smallest temperature makes no 0/0.
        shifted = log_probs - ops.max(log_probs, axis=-1, keepdims=True)
        return self.draw(shifted / max(self.temperature, 1e-30), uniform)

    def draw(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Token ids [rows] from logits [rows, vocabulary] and uniform numbers [rows]."""
        return sampled_place(logits, uniform)


@dataclass(frozen=True)
class TopK(Sample):
    """A draw from the k likeliest tokens."""

    k: int = 10

    def __init__(self, k: int = 10, temperature: float = 1.0) -> None:
        if not is_count(k):
            raise ZooError(f"k={k!r}: give a whole number from 1")
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "temperature", temperature)
        self.__post_init__()

    def draw(self, logits: Tensor, uniform: Tensor) -> Tensor:
        # In sorted order a tie at the last place lets in one token, not all of its equals.
        return sampled_token(*top_k(logits, min(self.k, logits.shape[-1])), uniform)


@dataclass(frozen=True)
class TopP(Sample):
    """A draw from the fewest tokens that together have probability p (nucleus sampling)."""

    p: float = 0.9

    def __init__(self, p: float = 0.9, temperature: float = 1.0) -> None:
        if not is_number(p) or not 0 < p <= 1:
            raise ZooError(f"p={p!r}: give a number above 0 and at most 1")
        object.__setattr__(self, "p", p)
        object.__setattr__(self, "temperature", temperature)
        self.__post_init__()

    def draw(self, logits: Tensor, uniform: Tensor) -> Tensor:
        total = ops.logsumexp(logits, axis=-1, keepdims=True)

        def from_nucleus(ordered: Any, ids: Tensor) -> Tensor:
            probabilities = ops.exp(ordered - total)
            # A token is in while those before it have less than p together: the first always is.
            inside = ops.cumsum(probabilities, axis=-1) - probabilities < self.p
            return sampled_token(ops.where(inside, ordered, NEVER), ids, uniform)

        count = logits.shape[-1]
        best, ids = top_k(logits, min(FEW, count))
        enough = ops.all(ops.sum(ops.exp(best - total), axis=-1) >= self.p)
        # Nearly always: to sort all tokens takes as long as a small model's step.
        return ops.cond(
            enough,
            lambda: from_nucleus(best, ids),
            lambda: from_nucleus(*ops.top_k(logits, k=count)),
        )


@dataclass(frozen=True)
class Beam:
    """Beam search: the best text found, keeping `width` at a time.

    `length_alpha` divides scores by the length penalty of Wu et al. 2016, ((5+n)/6)^alpha.
    """

    width: int = 5
    n_best: int = 1
    length_alpha: float = 0.0

    def __post_init__(self) -> None:
        if not is_count(self.width):
            raise ZooError(f"beam width {self.width!r}: give a whole number from 1")
        if not is_count(self.n_best) or self.n_best > self.width:
            raise ZooError(
                f"n_best={self.n_best!r}: give a number from 1 to the width {self.width}"
            )
        if not is_number(self.length_alpha) or not 0 <= self.length_alpha < float("inf"):
            raise ZooError(f"length_alpha={self.length_alpha!r}: give a number of at least 0")


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_number(value: Any) -> bool:
    """Whether a value is an int or a float (NaN included)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def sampled_token(logits: Tensor, ids: Tensor, uniform: Tensor) -> Tensor:
    """One of a row's `ids` by logits [rows, n] of their own; NEVER: out of the question."""
    place = ops.expand_dims(sampled_place(logits, uniform), 1)
    return ops.take_along_axis(ops.cast(ids, "int32"), place, axis=1)[:, 0]


def sampled_place(logits: Tensor, uniform: Tensor) -> Tensor:
    """One token a row by inverse transform: the first at which the cumulative mass exceeds u."""
    mass = ops.exp(logits - ops.max(logits, axis=-1, keepdims=True))  # [rows, vocabulary]
    cumulative = ops.cumsum(mass, axis=-1)
    # Rounding may leave the total just below u; a token of mass 0 must never be drawn then.
    target = ops.expand_dims(uniform, -1) * cumulative[..., -1:]
    chosen = ops.sum(ops.cast(cumulative <= target, "int32"), axis=-1)
    last = ops.sum(ops.cast(cumulative < cumulative[..., -1:], "int32"), axis=-1)
    return ops.minimum(chosen, last)
