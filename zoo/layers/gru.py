"""The gated recurrent unit of section 3.

    z_t = σ(W^(z) x_t + U^(z) h_{t−1})              update gate
    r_t = σ(W^(r) x_t + U^(r) h_{t−1})              reset gate
    h̃_t = tanh(r_t ∘ U h_{t−1} + W x_t)             new memory
    h_t = (1 − z_t) ∘ h̃_t + z_t ∘ h_{t−1}           hidden state

Gates are stored in the order z r h. With biases (absent from the notes) the products become
W x + b and U h + b_r, as in Keras's `reset_after=True` form. Its derivative:

    ∂z = ∂h_t ∘ (h_{t−1} − h̃_t) ∘ σ'(z)     ∂h̃ = ∂h_t ∘ (1 − z_t) ∘ tanh'(h̃)
    ∂r = ∂h̃ ∘ U h_{t−1} ∘ σ'(r)             ∂h_{t−1} = ∂h_t ∘ z_t + (through U)
"""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
from keras import ops

from zoo.layers.activations import Activation, Function, with_activations
from zoo.layers.gated import Gated
from zoo.layers.recurrence.cell import Cell, Weights
from zoo.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    State,
    Tensor,
)


def step(
    tanh: Function, sigma: Function, input_term: Tensor, recurrent_term: Tensor, previous: State
) -> tuple[State, State]:
    """The four equations of section 3, with recurrent_term = U h_{t−1} of all gates."""
    (h_previous,) = previous
    x_z, x_r, x_h = ops.split(input_term, 3, axis=1)
    u_z, u_r, u_h = ops.split(recurrent_term, 3, axis=1)
    z = sigma(x_z + u_z)
    r = sigma(x_r + u_r)
    memory = tanh(x_h + r * u_h)
    h = z * h_previous + (1 - z) * memory
    return (h,), (z, r, memory, u_h)


def step_gradient(
    tanh: Activation,
    sigma: Activation,
    saved: State,
    previous: State,
    current: State,
    d_state: State,
) -> tuple[Tensor, Tensor, State]:
    (d_h,) = d_state
    z, r, memory, u_h = saved
    d_z = d_h * (previous[0] - memory) * sigma.derivative(z)
    d_memory = d_h * (1 - z) * tanh.derivative(memory)
    d_r = d_memory * u_h * sigma.derivative(r)
    d_input_term = ops.concatenate([d_z, d_r, d_memory], axis=1)
    d_recurrent_term = ops.concatenate([d_z, d_r, d_memory * r], axis=1)
    return d_input_term, d_recurrent_term, (d_h * z,)


def advance_reset_before(
    tanh: Function, sigma: Function, input_term: Tensor, previous: State, weights: Weights
) -> tuple[State, State]:
    """Keras's `reset_after=False`: h̃_t = tanh(U (r_t ∘ h_{t−1}) + W x_t)."""
    (h_previous,) = previous
    masks = weights.dropout_masks or (1, 1, 1)
    h_z, h_r, h_h = (h_previous * m for m in masks)
    x_z, x_r, x_h = ops.split(input_term, 3, axis=1)
    u_z, u_r, u_h = ops.split(weights.kernel, 3, axis=1)
    z = sigma(x_z + ops.matmul(h_z, u_z))
    r = sigma(x_r + ops.matmul(h_r, u_r))
    memory = tanh(x_h + ops.matmul(r * h_h, u_h))
    return (z * h_previous + (1 - z) * memory,), (z, r, memory)


@keras.saving.register_keras_serializable(package="zoo")
class GRU(Gated):
    """Drop-in for `keras.layers.GRU`; with `use_bias=False` exactly section 3 of the notes.

    Args:
        units: size of h.
        reset_after: apply the reset gate after the recurrent product, as in the notes (default).
            The other form works too, differentiated by the backend.
        use_cudnn: Keras's switch for GPUs, without effect: there is one implementation here.
        learn_initial_state, weight_drop, jit_compile: see `zoo.layers.Recurrent`.
        All others, by place or by name, are those of `keras.layers.GRU`.

    Example:
        >>> import numpy as np
        >>> GRU(4, return_sequences=True)(np.zeros((2, 3, 5), "float32")).shape
        TensorShape([2, 3, 4])
    """

    gates = 3
    stage_names = ("z", "r", "h_tilde")

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        *,
        learn_initial_state: bool = False,
        weight_drop: float = 0.0,
        jit_compile: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout,
            return_sequences, return_state, go_backwards, stateful, unroll, seed,
            recurrent_activation=recurrent_activation, learn_initial_state=learn_initial_state,
            weight_drop=weight_drop, jit_compile=jit_compile, **kwargs,
        )  # fmt: skip
        self.reset_after = reset_after

    def equations(self) -> Cell:
        functions = (self.activation, self.recurrent_activation)
        cell = with_activations(step, step_gradient, *functions)
        if self.reset_after:
            return cell
        return Cell(cell.step, None, partial(advance_reset_before, *functions))

    def bias_shape(self) -> Shape:
        width = self.gates * self.units
        return (2, width) if self.reset_after else (width,)

    def input_bias(self) -> Tensor | None:
        bias = super().input_bias()
        return bias[0] if bias is not None and self.reset_after else bias

    def recurrent_bias(self) -> Tensor | None:
        return self._cast(self.bias)[1] if self.use_bias and self.reset_after else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}
