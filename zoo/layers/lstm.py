"""The long short-term memory of section 4.

    i_t = σ(W^(i) x_t + U^(i) h_{t−1})              input gate
    f_t = σ(W^(f) x_t + U^(f) h_{t−1})              forget gate
    o_t = σ(W^(o) x_t + U^(o) h_{t−1})              output/exposure gate
    c̃_t = tanh(W^(c) x_t + U^(c) h_{t−1})           new memory cell
    c_t = f_t ∘ c_{t−1} + i_t ∘ c̃_t                 final memory cell
    h_t = o_t ∘ tanh(c_t)

(The notes print c̃_{t−1} in the fifth line; the memory that is carried is c_{t−1}.) Gates are
stored in the order i f c o, with an optional bias (absent from the notes). Its derivative:

    ∂o = ∂h_t ∘ tanh(c_t) ∘ σ'(o)           ∂c = ∂c_t + ∂h_t ∘ o_t ∘ tanh'(c_t)
    ∂i = ∂c ∘ c̃_t ∘ σ'(i)                   ∂f = ∂c ∘ c_{t−1} ∘ σ'(f)
    ∂c̃ = ∂c ∘ i_t ∘ tanh'(c̃)                ∂c_{t−1} = ∂c ∘ f_t
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.layers.activations import Activation, Function, with_activations
from zoo.layers.gated import ForgetBias
from zoo.layers.recurrence.cell import Cell
from zoo.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    State,
    Tensor,
)


def step(
    tanh: Function, sigma: Function, input_term: Tensor, recurrent_term: Tensor, previous: State
) -> tuple[State, State]:
    """The six equations of section 4; the gates are saved, tanh(c_t) is computed again."""
    _, c_previous = previous
    a_i, a_f, a_c, a_o = ops.split(input_term + recurrent_term, 4, axis=1)
    i, f, o = sigma(a_i), sigma(a_f), sigma(a_o)
    memory = tanh(a_c)
    c = f * c_previous + i * memory
    return (o * tanh(c), c), (i, f, memory, o)


def step_gradient(
    tanh: Activation,
    sigma: Activation,
    saved: State,
    previous: State,
    current: State,
    d_state: State,
) -> tuple[Tensor, None, tuple[None, Tensor]]:
    d_h, d_c = d_state
    i, f, memory, o = saved
    exposed = tanh(current[1])
    d_o = d_h * exposed * sigma.derivative(o)
    d_c = d_c + d_h * o * tanh.derivative(exposed)
    d_i = d_c * memory * sigma.derivative(i)
    d_f = d_c * previous[1] * sigma.derivative(f)
    d_memory = d_c * i * tanh.derivative(memory)
    return ops.concatenate([d_i, d_f, d_memory, d_o], axis=1), None, (None, d_c * f)


@keras.saving.register_keras_serializable(package="zoo")
class LSTM(ForgetBias):
    """Drop-in for `keras.layers.LSTM`; with `use_bias=False` exactly section 4 of the notes.

    Args:
        units: size of h and c.
        use_cudnn: Keras's switch for GPUs, without effect: there is one implementation here.
        learn_initial_state, weight_drop, jit_compile: see `zoo.layers.Recurrent`.
        All others, by place or by name, are those of `keras.layers.LSTM`.

    Example:
        >>> import numpy as np
        >>> output, h, c = LSTM(4, return_state=True)(np.zeros((2, 3, 5), "float32"))
        >>> c.shape
        TensorShape([2, 4])
    """

    gates = 4
    state_names = ("h", "c")
    stage_names = ("i", "f", "c_tilde", "o")
    forget_gate = 1

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
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
            recurrent_activation=recurrent_activation, unit_forget_bias=unit_forget_bias,
            learn_initial_state=learn_initial_state,
            weight_drop=weight_drop, jit_compile=jit_compile, **kwargs,
        )  # fmt: skip

    def equations(self) -> Cell:
        return with_activations(step, step_gradient, self.activation, self.recurrent_activation)
