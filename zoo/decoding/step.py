"""The step function that a model gives to decoding, and what is done to its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras import ops

from zoo.decoding.sampling import NEVER
from zoo.types import Tensor

Step = Callable[[Any, dict[str, Any]], tuple[Any, dict[str, Any]]]


def without(
    log_probs: Tensor, forbidden_ids: Sequence[int], tokens: Tensor | None = None
) -> Tensor:
    """Finite float32 log-probabilities [rows, vocabulary], NEVER for forbidden tokens.

    Args:
        tokens: whose log-probabilities they are, [rows, some]; None for the whole vocabulary.
    """
    log_probs = ops.maximum(ops.cast(log_probs, "float32"), NEVER)  # no -inf: 0 * inf is NaN
    if not forbidden_ids:
        return log_probs
    tokens = ops.arange(log_probs.shape[-1], dtype="int32") if tokens is None else tokens
    banned = tokens == forbidden_ids[0]
    for i in forbidden_ids[1:]:
        banned = ops.logical_or(banned, tokens == i)
    return ops.where(banned, NEVER, log_probs)


def as_tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state whose entries may be NumPy arrays (n-gram models) as tensors."""
    return {
        name: value if ops.is_tensor(value) else ops.convert_to_tensor(value)
        for name, value in state.items()
    }
