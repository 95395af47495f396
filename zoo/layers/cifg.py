"""The LSTM with coupled input and forget gate (CIFG), with an optional recurrent projection.

The LSTM of section 4 with i_t = 1 − f_t, which saves a quarter of its parameters:

    f_t = σ(W^(f) x_t + U^(f) h_{t−1})              forget gate
    o_t = σ(W^(o) x_t + U^(o) h_{t−1})              output gate
    c̃_t = tanh(W^(c) x_t + U^(c) h_{t−1})           new memory cell
    c_t = f_t ∘ c_{t−1} + (1 − f_t) ∘ c̃_t           final memory cell
    h_t = P (o_t ∘ tanh(c_t))                       P = 1 without a projection

Coupled gates: Greff et al. 2017 (arXiv 1503.04069); projection: Sak et al. 2014 (arXiv
1402.1128); both together in a phone keyboard's language model: Hard et al. 2018 (arXiv
1811.03604). Gates are stored in the order f c o. Its derivative, before the projection:

    ∂o = ∂h_t ∘ tanh(c_t) ∘ σ'(o)           ∂c = ∂c_t + ∂h_t ∘ o_t ∘ tanh'(c_t)
    ∂f = ∂c ∘ (c_{t−1} − c̃_t) ∘ σ'(f)       ∂c̃ = ∂c ∘ (1 − f_t) ∘ tanh'(c̃)
    ∂c_{t−1} = ∂c ∘ f_t
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
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
    """The equations above up to the projection."""
    _, c_previous = previous
    a_f, a_c, a_o = ops.split(input_term + recurrent_term, 3, axis=1)
    f, o = sigma(a_f), sigma(a_o)
    memory = tanh(a_c)
    c = f * c_previous + (1 - f) * memory
    return (o * tanh(c), c), (f, memory, o)


def step_gradient(
    tanh: Activation,
    sigma: Activation,
    saved: State,
    previous: State,
    current: State,
    d_state: State,
) -> tuple[Tensor, None, tuple[None, Tensor]]:
    d_h, d_c = d_state
    f, memory, o = saved
    exposed = tanh(current[1])
    d_o = d_h * exposed * sigma.derivative(o)
    d_c = d_c + d_h * o * tanh.derivative(exposed)
    d_f = d_c * (previous[1] - memory) * sigma.derivative(f)
    d_memory = d_c * (1 - f) * tanh.derivative(memory)
    return ops.concatenate([d_f, d_memory, d_o], axis=1), None, (None, d_c * f)


@keras.saving.register_keras_serializable(package="zoo")
class CIFG(ForgetBias):
    """LSTM with coupled input and forget gate and an optional recurrent projection.

    Args:
        units: size of c (and of h without a projection).
        projection_units: size of h after the projection P; None for no projection.
        unit_forget_bias: start the forget gate's bias at 1.
        learn_initial_state, weight_drop, jit_compile: see `zoo.layers.Recurrent`.
        All others are those of `keras.layers.LSTM`.

    Weights: `kernel` [features, 3 units], `recurrent_kernel` [outputs, 3 units], `bias`
    [3 units], then `projection_kernel` [units, outputs] where there is a projection.

    Example:
        >>> import numpy as np
        >>> CIFG(8, projection_units=4)(np.zeros((2, 3, 5), "float32")).shape
        TensorShape([2, 4])
    """

    gates = 3
    state_names = ("h", "c")
    stage_names = ("f", "c_tilde", "o")
    forget_gate = 0

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
        *,
        projection_units: int | None = None,
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
        if projection_units is not None and projection_units < 1:
            raise ZooError(f"projection_units must be at least 1 or None, got {projection_units}")
        self.projection_units = None if projection_units is None else int(projection_units)

    def equations(self) -> Cell:
        return with_activations(step, step_gradient, self.activation, self.recurrent_activation)

    @classmethod
    def sizes(cls, units: int, output_size: int) -> dict[str, int]:
        return {"units": units, "projection_units": output_size}

    @property
    def output_size(self) -> int:
        return self.projection_units or self.units

    def build_more(self) -> None:
        self.projection_kernel = None
        if self.projection_units is not None:
            shape = (self.units, self.projection_units)
            self.projection_kernel = self.add_kernel("projection_kernel", shape)

    def projection(self) -> Tensor | None:
        return None if self.projection_kernel is None else self._cast(self.projection_kernel)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "projection_units": self.projection_units}
