"""Activations whose derivative can be read off their own output.

A hand-derived gradient needs f'(x) at every step. For the activations below f'(x) is a function of
y = f(x) alone, so nothing but the output has to be kept. Any other activation still works: the
backend then differentiates the plain loop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple, TypeAlias

import keras
from keras import ops

from zoo.layers.recurrence.cell import Cell, StateGradient
from zoo.types import State, Tensor

Function: TypeAlias = Callable[[Tensor], Tensor]


class Activation(NamedTuple):
    """A function and its derivative as a function of the output."""

    function: Function
    derivative: Function

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)


def _relu_derivative(y: Tensor) -> Tensor:
    return ops.cast(y > 0, y.dtype)


def _hard_sigmoid_derivative(y: Tensor) -> Tensor:
    # relu6(x + 3) / 6 is linear with slope 1/6 strictly between its two plateaus.
    return ops.cast(ops.logical_and(y > 0, y < 1), y.dtype) / 6


_DERIVATIVES: dict[Function, Function] = {
    keras.activations.tanh: lambda y: 1 - y * y,
    keras.activations.sigmoid: lambda y: y * (1 - y),
    keras.activations.relu: _relu_derivative,
    keras.activations.linear: ops.ones_like,
    keras.activations.hard_sigmoid: _hard_sigmoid_derivative,
}


def with_derivative(function: Function) -> Activation | None:
    """A Keras activation with its derivative; None where that is not known here.

    Args:
        function: a callable as returned by `keras.activations.get`.

    Example:
        >>> import keras
        >>> float(with_derivative(keras.activations.tanh).derivative(0.5))
        0.75
    """
    derivative = _DERIVATIVES.get(function)
    return None if derivative is None else Activation(function, derivative)


@lru_cache(maxsize=64)
def with_activations(
    step: Callable[..., tuple[State, State]],
    step_gradient: Callable[..., tuple[Tensor, Tensor | None, StateGradient]],
    *functions: Function,
) -> Cell:
    """A cell with its activations filled in: the same object for the same functions.

    So layers of the same kind share what is compiled for them. Without a known derivative of
    every activation the backend differentiates the loop.
    """
    activations = [with_derivative(function) for function in functions]
    gradient = None if None in activations else partial(step_gradient, *activations)
    return Cell(partial(step, *functions), gradient)
