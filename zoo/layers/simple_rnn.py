"""The simple recurrent network of section 2.

    h_t = σ(W^(hx) x_t + W^(hh) h_{t−1} (+ b))                                        [5]

σ is any activation: sigmoid as in the notes, tanh (Keras's default), or ReLU, which with
`recurrent_initializer="identity"` is the identity-started network of section 2.2 (IRNN).
Its derivative along time, from which the product in [12] is built:

    ∂J/∂a_t = ∂J/∂h_t ∘ σ'(a_t),  a_t = W^(hx) x_t + W^(hh) h_{t−1} (+ b)
"""

from __future__ import annotations

from typing import Any

import keras

from zoo.layers.activations import Activation, with_activations
from zoo.layers.recurrence.loop import Cell, State, Tensor
from zoo.layers.recurrent import Recurrent


def step(
    sigma: Activation, projected: Tensor, product: Tensor, previous: State
) -> tuple[State, State]:
    """[5]; nothing is saved, since σ' is a function of h_t."""
    return (sigma(projected + product),), ()


def step_gradient(
    sigma: Any, saved: State, previous: State, current: State, d_state: State
) -> tuple[Tensor, None, tuple[None]]:
    return d_state[0] * sigma.derivative(current[0]), None, (None,)


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNN(Recurrent):
    """Drop-in for `keras.layers.SimpleRNN`: h_t = σ(W x_t + U h_{t−1} + b), equation [5].

    Args:
        units: size of h.
        activation: σ; "sigmoid" as in the notes, "tanh" or "relu".
        **kwargs: see `zoo.layers.recurrent.Recurrent`.

    Example:
        >>> import numpy as np
        >>> SimpleRNN(4, activation="sigmoid")(np.zeros((2, 3, 5), "float32")).shape
        TensorShape([2, 4])
    """

    def cell(self) -> Cell:
        return with_activations(step, step_gradient, self.activation)
