"""The simple recurrent network of section 2.

    h_t = σ(W^(hx) x_t + W^(hh) h_{t−1} (+ b))                                        [5]

σ is any activation: sigmoid as in the notes, tanh (Keras's default), or ReLU, which with
`recurrent_initializer="identity"` is the identity-started network of section 2.2 (IRNN).
Its derivative along time, from which the product in [12] is built:

    ∂J/∂a_t = ∂J/∂h_t ∘ σ'(a_t),  a_t = W^(hx) x_t + W^(hh) h_{t−1} (+ b)
"""

from __future__ import annotations

import keras

from zoo.layers.activations import Activation, Function, with_activations
from zoo.layers.recurrence.cell import Cell
from zoo.layers.recurrent import Recurrent
from zoo.types import State, Tensor


def step(
    sigma: Function, input_term: Tensor, recurrent_term: Tensor, previous: State
) -> tuple[State, State]:
    """[5]; nothing is saved, since σ' is a function of h_t."""
    return (sigma(input_term + recurrent_term),), ()


def step_gradient(
    sigma: Activation, saved: State, previous: State, current: State, d_state: State
) -> tuple[Tensor, None, tuple[None]]:
    return d_state[0] * sigma.derivative(current[0]), None, (None,)


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNN(Recurrent):
    """Drop-in for `keras.layers.SimpleRNN`: h_t = σ(W x_t + U h_{t−1} + b), equation [5].

    Args:
        units: size of h.
        activation: σ; "sigmoid" as in the notes, "tanh" or "relu".
        learn_initial_state, weight_drop, jit_compile: see `zoo.layers.Recurrent`.
        All others, by place or by name, are those of `keras.layers.SimpleRNN`.

    Example:
        >>> import numpy as np
        >>> SimpleRNN(4, activation="sigmoid")(np.zeros((2, 3, 5), "float32")).shape
        TensorShape([2, 4])
    """

    seed_is_drawn_first = True

    def equations(self) -> Cell:
        return with_activations(step, step_gradient, self.activation)
