"""The recurrent layers' cells, for `keras.layers.RNN`, `StackedRNNCells` and loops of one's own.

A cell is one step: `h_t, s_t = cell(x_t, s_{t-1})`. Its equations, weights and arguments are those
of its layer (`zoo/layers/lstm.py` and so on); here is only what Keras asks of a cell. The layers
are several times faster, since they form W x of all steps at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell  # by which `RNN` knows its masks

from zoo.layers.cifg import CIFG
from zoo.layers.gru import GRU
from zoo.layers.lstm import LSTM
from zoo.layers.recurrence.cell import make_advance
from zoo.layers.recurrent import Recurrent
from zoo.layers.simple_rnn import SimpleRNN
from zoo.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    Tensor,
)

# What belongs to the loop over time, which a cell has not.
OF_THE_LOOP = (
    *("return_sequences", "return_state", "go_backwards", "stateful", "unroll"),
    *("zero_output_for_mask", "activity_regularizer", "jit_compile"),
)


class RecurrentCell(DropoutRNNCell, Recurrent):
    """Makes a cell of a recurrent layer's class: `class LSTMCell(RecurrentCell, LSTM)`.

    Call arguments: `inputs` `[batch, features]`; `states`, a list of `[batch, size]`, or the one
    tensor; `training`. Returns h_t and the new states.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.input_spec = None
        self.cell: Any = None  # type: ignore[assignment]  # the layer's view of itself as a cell
        self.supports_masking = False
        if self.implementation == 1 and self.gates > 1:
            self.dropout_mask_count = self.gates

    @property
    def state_size(self) -> int | list[int]:  # type: ignore[override]
        """As Keras has it: a number for one state, else a list."""
        sizes = [self.output_size] + [self.units] * (len(self.state_names) - 1)
        return sizes[0] if len(sizes) == 1 else sizes

    def build(self, input_shape: Shape) -> None:  # type: ignore[override]
        self.build_weights(input_shape[-1])

    def get_initial_state(self, batch_size: int | Tensor | None = None) -> list[Tensor]:
        sizes = keras.tree.flatten(self.state_size)
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in sizes]

    def call(  # type: ignore[override]
        self, inputs: Tensor, states: Tensor | Sequence[Tensor], training: bool = False
    ) -> tuple[Tensor, Tensor | list[Tensor]]:
        given = list(states) if isinstance(states, list | tuple) else [states]
        x, state = self._cast(inputs), tuple(self._cast(s) for s in given)
        input_masks = recurrent_masks = None
        if training and self.dropout:
            input_masks = listed(self.get_dropout_mask(x))
        if training and self.recurrent_dropout:
            recurrent_masks = listed(self.get_recurrent_dropout_mask(state[0]))
        weights = self.loop_weights(training, recurrent_masks)
        term = self.project_inputs(x, input_masks)
        new, _, _ = make_advance(self.equations(), weights)(term, state)
        return new[0], (list(new) if isinstance(states, list | tuple) else new[0])

    def compute_output_shape(  # type: ignore[override]
        self, inputs_shape: Shape, states_shape: Any = None
    ) -> tuple[Shape, list[Shape]]:
        batch = inputs_shape[0]
        states = [(batch, size) for size in keras.tree.flatten(self.state_size)]
        return (batch, self.output_size), states

    def compute_mask(self, *_: Any) -> None:
        return None

    # A file has a cell's weights where Keras's cell has them.
    save_own_variables = keras.layers.Layer.save_own_variables
    load_own_variables = keras.layers.Layer.load_own_variables

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {name: value for name, value in config.items() if name not in OF_THE_LOOP}


def listed(masks: Tensor | list[Tensor]) -> list[Tensor]:
    """Masks, one a gate, or the one for all of them, as a list."""
    return masks if isinstance(masks, list) else [masks]


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNNCell(RecurrentCell, SimpleRNN):
    """One step of `zoo.layers.SimpleRNN`, equation [5].

    Args:
        All arguments, by place or by name, are those of `keras.layers.SimpleRNNCell`.

    Example:
        >>> import numpy as np
        >>> cell = SimpleRNNCell(4)
        >>> h, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> h.shape, len(states)
        (TensorShape([2, 4]), 1)
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation,
            use_bias=use_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint,
            dropout=dropout, recurrent_dropout=recurrent_dropout, seed=seed, **kwargs,
        )  # fmt: skip


@keras.saving.register_keras_serializable(package="zoo")
class GRUCell(RecurrentCell, GRU):
    """One step of `zoo.layers.GRU`, section 3.

    Args:
        All arguments, by place or by name, are those of `keras.layers.GRUCell`.

    Example:
        >>> import numpy as np
        >>> cell = GRUCell(4)
        >>> h, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> h.shape, len(states)
        (TensorShape([2, 4]), 1)
    """

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, recurrent_activation,
            use_bias=use_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint,
            dropout=dropout, recurrent_dropout=recurrent_dropout, reset_after=reset_after,
            seed=seed, **kwargs,
        )  # fmt: skip


@keras.saving.register_keras_serializable(package="zoo")
class LSTMCell(RecurrentCell, LSTM):
    """One step of `zoo.layers.LSTM`, section 4.

    Args:
        All arguments, by place or by name, are those of `keras.layers.LSTMCell`.

    Example:
        >>> import numpy as np
        >>> cell = LSTMCell(4)
        >>> h, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> h.shape, len(states)
        (TensorShape([2, 4]), 2)
    """

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, recurrent_activation,
            use_bias=use_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint, dropout=dropout,
            recurrent_dropout=recurrent_dropout, seed=seed, **kwargs,
        )  # fmt: skip


@keras.saving.register_keras_serializable(package="zoo")
class CIFGCell(RecurrentCell, CIFG):
    """One step of `zoo.layers.CIFG`.

    Args:
        projection_units: size of h after the projection P; None for no projection.
        All others are those of `keras.layers.LSTMCell`.

    Example:
        >>> import numpy as np
        >>> cell = CIFGCell(4)
        >>> h, states = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> h.shape, len(states)
        (TensorShape([2, 4]), 2)
    """

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        *,
        projection_units: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, recurrent_activation,
            use_bias=use_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint, dropout=dropout,
            recurrent_dropout=recurrent_dropout, seed=seed, projection_units=projection_units,
            **kwargs,
        )  # fmt: skip
