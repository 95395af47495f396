"""Perplexity, equation [9] of the notes.

    perplexity = 2^J,   J = -(1/T) sum over t, j of y_(t,j) log2 yhat_(t,j)     [9]

J is in bits, so with natural logarithms perplexity = exp(mean nats): the same number. T counts
the tokens that were scored; masked ones are neither scored nor counted.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.types import Tensor

LARGEST_EXPONENT = 709.0  # math.exp overflows beyond


def perplexity(nats: float, tokens: int) -> float:
    """exp(nats / tokens) = 2^(bits / tokens) [9], the only place where one is computed in Python.

    Infinite where a token had probability 0, and where the number is too large for a float.

    Args:
        nats: minus the sum of natural log-probabilities.
        tokens: how many tokens that sum is over.

    Raises:
        ZooError: there are no tokens.

    Example:
        >>> round(perplexity(nats=3 * math.log(8), tokens=3), 6)
        8.0
    """
    if tokens < 1:
        raise ZooError(f"perplexity of {tokens} tokens: give a text with at least one")
    mean = float(nats) / tokens
    return math.exp(mean) if mean < LARGEST_EXPONENT else math.inf


def valid_positions(
    y_true: Tensor, y_pred: Tensor, sample_weight: Tensor, mask_token_id: int | None
) -> Tensor:
    """Where a target counts: bool, the shape of `y_true`.

    A position is left out if its target is `mask_token_id`, its weight is zero, or Keras's mask
    of the prediction is False there.
    """
    valid = ops.ones_like(y_true, dtype="bool")
    if mask_token_id is not None:
        valid = ops.logical_and(valid, ops.not_equal(y_true, mask_token_id))
    mask = getattr(y_pred, "_keras_mask", None)
    for weights in (mask, sample_weight):
        if weights is None:
            continue
        kept = ops.not_equal(ops.cast(ops.convert_to_tensor(weights), "float32"), 0.0)
        while len(kept.shape) < len(y_true.shape):  # one weight a sequence
            kept = ops.expand_dims(kept, -1)
        valid = ops.logical_and(valid, kept)
    return valid


@keras.saving.register_keras_serializable(package="zoo")
class Perplexity(keras.metrics.Metric):
    """2^J [9] over everything seen since the last reset, base 2 with J in bits.

    Args:
        from_logits: predictions are logits; otherwise probabilities.
        mask_token_id: targets of this id (padding) do not count; None counts all.

    `update_state` takes targets [batch, time] integers, predictions [batch, time, vocabulary] and
    optional weights [batch] or [batch, time]; a weight of zero leaves a token out, and weights
    other than 0 and 1 are read as 1, because a token is predicted once or not at all.
    `update_log_probs` takes the targets' log-probabilities themselves. `tokens` is the count that
    has to be printed beside every perplexity. Without tokens the result is NaN.

    Example:
        >>> metric = Perplexity(mask_token_id=0)
        >>> metric.update_state([[1, 0]], [[[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]])
        >>> round(float(metric.result()), 4), int(metric.tokens)
        (4.0, 1)
    """

    def __init__(
        self,
        from_logits: bool = False,
        mask_token_id: int | None = None,
        name: str = "perplexity",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self.mask_token_id = mask_token_id
        self.nats = self.add_variable((), initializer="zeros", dtype="float32", name="nats")
        # What float32 rounded off so far (Kahan): a long test set adds thousands of numbers.
        self.rounding = self.add_variable((), initializer="zeros", dtype="float32", name="rounding")
        self.tokens = self.add_variable((), initializer="zeros", dtype="int32", name="tokens")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(ops.convert_to_tensor(y_true), "int32")
        if len(y_pred.shape) != len(y_true.shape) + 1:
            raise ZooError(
                f"targets {tuple(y_true.shape)} and predictions {tuple(y_pred.shape)}: "
                "predictions need one more axis, the vocabulary"
            )
        valid = valid_positions(y_true, y_pred, sample_weight, self.mask_token_id)
        scores = ops.cast(y_pred, "float32")
        own = ops.take_along_axis(scores, ops.expand_dims(y_true, -1), axis=-1)[..., 0]
        log_probs = own - ops.logsumexp(scores, axis=-1) if self.from_logits else ops.log(own)
        self._add(log_probs, valid)

    def update_log_probs(self, log_probs: Tensor, weights: Tensor | None = None) -> None:
        """Add targets' natural log-probabilities, any shape; `weights` 0 leaves one out."""
        log_probs = ops.cast(ops.convert_to_tensor(log_probs), "float32")
        self._add(log_probs, valid_positions(log_probs, None, weights, None))

    def _add(self, log_probs: Tensor, valid: Tensor) -> None:
        added = -ops.sum(ops.where(valid, log_probs, 0.0)) - self.rounding
        total = self.nats + added
        rounding = (total - self.nats) - added
        self.rounding.assign(ops.where(ops.isfinite(total), rounding, 0.0))
        self.nats.assign(total)
        self.tokens.assign_add(ops.sum(ops.cast(valid, "int32")))

    def bits(self) -> Any:
        """J of [9]: mean bits a token."""
        return self.nats / (ops.cast(self.tokens, "float32") * math.log(2.0))

    def result(self) -> Any:
        return ops.power(2.0, self.bits())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "mask_token_id": self.mask_token_id,
        }
