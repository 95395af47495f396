"""Activations whose derivative can be read off their own output.

A hand-derived gradient needs f'(x) at every step. For the activations below f'(x) is a function of
y = f(x) alone, so nothing but the output has to be kept. Any other activation still works: the
recurrence then lets the backend differentiate the plain loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

Tensor = Any


class Activation(NamedTuple):
    """A function and its derivative as a function of the output (None: not known here)."""

    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor] | None

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)


def _relu_derivative(y: Tensor) -> Tensor:
    return ops.cast(y > 0, y.dtype)


def _hard_sigmoid_derivative(y: Tensor) -> Tensor:
    # relu6(x + 3) / 6 is linear with slope 1/6 strictly between its two plateaus.
    return ops.cast(ops.logical_and(y > 0, y < 1), y.dtype) / 6


_DERIVATIVES: dict[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] = {
    keras.activations.tanh: lambda y: 1 - y * y,
    keras.activations.sigmoid: lambda y: y * (1 - y),
    keras.activations.relu: _relu_derivative,
    keras.activations.linear: ops.ones_like,
    keras.activations.hard_sigmoid: _hard_sigmoid_derivative,
}


def with_derivative(function: Callable[[Tensor], Tensor]) -> Activation:
    """Pair a Keras activation with its derivative, where one is known.

    Args:
        function: a callable as returned by `keras.activations.get`.

    Example:
        >>> import keras
        >>> float(with_derivative(keras.activations.tanh).derivative(0.5))
        0.75
    """
    return Activation(function, _DERIVATIVES.get(function))
