"""The base of every recurrent layer: arguments, masks, states and dropout around the recurrence.

A cell's file adds the equations (`step`, `step_gradient`) and says how many gates and states it
has; the behaviour here is that of `keras.layers.RNN` and its subclasses, argument by argument.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.carried_state import CarriedState
from zoo.layers.cell_view import CellView, Store, assign
from zoo.layers.dropout import check_rate, draw_masks
from zoo.layers.recurrence.cell import Cell, InputKernel, Weights, make_advance
from zoo.layers.recurrence.whole_sequence import whole_sequence
from zoo.layers.recurrent_weights import RecurrentWeights
from zoo.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    Nest,
    RegularizerLike,
    Shape,
    State,
    Tensor,
)

# Arguments that Keras has not, or does not write: in a config only where they are set.
NOT_OF_KERAS = {
    "learn_initial_state": False,
    "weight_drop": 0.0,
    "jit_compile": True,
}


class Recurrent(RecurrentWeights, ABC):
    """Base class of the recurrent layers; use a subclass such as `zoo.layers.LSTM`.

    Args:
        units: size of the hidden state.
        activation, use_bias, *_initializer, *_regularizer, *_constraint, dropout,
            recurrent_dropout, return_sequences, return_state, go_backwards, stateful, unroll,
            seed: as in `keras.layers.SimpleRNN`, in its order.
        learn_initial_state: make the initial states weights (h_0 of [5]) instead of zeros; an
            `initial_state` given to a call still wins.
        weight_drop: share of the recurrent kernel's entries dropped in each training call (one
            mask for all steps), as in AWD-LSTM.
        jit_compile: let the TensorFlow backend compile training loops with XLA where the time
            axis is static. Never affects inference or exported graphs.
        zero_output_for_mask, implementation: as in Keras, whose layers take them by name too.
        **kwargs: as in `keras.layers.Layer`.

    Call arguments: `sequences` `[batch, time, features]`, `initial_state` a list of
    `[batch, size]`, `mask` `[batch, time]` or `[batch, time, 1]` bool (False: copy the state,
    repeat the output), `training`.

    Raises:
        ZooError: units below 1, or a rate outside [0, 1).
    """

    # Whether the seed of the masks is drawn before those of the weights, as Keras's layer does.
    seed_is_drawn_first: ClassVar[bool] = False

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
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        *,
        learn_initial_state: bool = False,
        weight_drop: float = 0.0,
        jit_compile: bool = True,
        **kwargs: Any,
    ) -> None:
        seed_generator = keras.random.SeedGenerator(seed) if self.seed_is_drawn_first else None
        zero_output_for_mask = kwargs.pop("zero_output_for_mask", False)
        implementation = kwargs.pop("implementation", 2)
        super().__init__(
            units, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.activation = keras.activations.get(activation)
        self.dropout = check_rate("dropout", dropout)
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        self.weight_drop = check_rate("weight_drop", weight_drop)
        self.implementation = 1 if recurrent_dropout else implementation
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.seed, self.seed_generator = seed, seed_generator or keras.random.SeedGenerator(seed)
        self.learn_initial_state, self.jit_compile = learn_initial_state, jit_compile
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self._carried: CarriedState | None = None
        self.initial_states: list[keras.Variable] = []
        self.variables_are_read = False
        self.cell = CellView.of(self)

    @abstractmethod
    def equations(self) -> Cell:
        """The cell's mathematics with this layer's activations."""

    @classmethod
    def sizes(cls, units: int, output_size: int) -> dict[str, int]:
        """Arguments with which h_t has `output_size` entries: so many units, or a projection."""
        return {"units": output_size}

    def build(self, sequences_shape: Shape, initial_state_shape: Nest = None) -> None:
        self.build_weights(sequences_shape[-1])
        if self.learn_initial_state:
            self.initial_states = [
                self.add_weight(name=f"initial_{name}", shape=(size,), initializer="zeros")
                for name, size in zip(self.state_names, self.state_size, strict=True)
            ]
        if self.stateful:
            batch_size = sequences_shape[0]
            if batch_size is None:
                raise ZooError("stateful=True needs a fixed batch size, got a batch axis of None")
            self._carried = CarriedState(batch_size, self.state_size, self.variable_dtype)

    def loop_weights(
        self, training: bool = False, masks: Sequence[Tensor] | None = None
    ) -> Weights:
        """The weights used inside the loop; `masks` are those of the recurrent dropout."""
        kernel = self._cast(self.recurrent_kernel)
        if training and self.weight_drop:
            kernel = keras.random.dropout(kernel, self.weight_drop, seed=self.seed_generator)
        return Weights(kernel, self.recurrent_bias(), self.projection(), masks)

    # --- states -----------------------------------------------------------------------------

    @property
    def states(self) -> list[keras.Variable] | None:
        """The state variables of a `stateful` layer."""
        return self._carried.variables if self._carried else None

    def reset_state(self) -> None:
        """Set the states of a `stateful` layer to zero."""
        if self._carried is not None:
            self._carried.reset()

    reset_states = reset_state

    def get_initial_state(self, batch_size: int | Tensor | None = None) -> list[Tensor]:
        """Zeros, or the learnt initial states, `[batch, size]` each."""
        if self.learn_initial_state:
            return [
                ops.broadcast_to(self._cast(initial), (batch_size, size))
                for initial, size in zip(self.initial_states, self.state_size, strict=True)
            ]
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in self.state_size]

    def _initial_state(
        self, sequences: Tensor, given: Tensor | Sequence[Tensor] | None
    ) -> list[Tensor]:
        if given is None:
            given = self.states or self.get_initial_state(ops.shape(sequences)[0])
        state = list(given) if isinstance(given, (list, tuple)) else [given]
        if len(state) != len(self.state_names):
            names = ", ".join(self.state_names)
            raise ZooError(f"initial_state must hold {names}, got {len(state)} tensors")
        return [self._cast(s) for s in state]

    # --- calls ------------------------------------------------------------------------------

    def call(
        self,
        sequences: Tensor,
        initial_state: Tensor | Sequence[Tensor] | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Tensor | State:
        state = self._initial_state(sequences, initial_state)
        may_start_late = initial_state is not None or self.learn_initial_state or self.stateful
        if self._carried is not None:
            self._carried.check(sequences.shape[0])
        steps = self._cast(sequences)  # [batch, time, features]
        if mask is not None:
            mask = ops.cast(mask, "bool")
            mask = mask if len(mask.shape) == 3 else ops.expand_dims(mask, -1)
        if self.go_backwards:
            steps = ops.flip(steps, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        outputs, final = self._run(steps, state, mask, training)
        if self._carried is not None:
            self._carried.keep(final)
        return self._results(outputs, final, mask, may_start_late)

    def _run(
        self, steps: Tensor, state: list[Tensor], mask: Tensor | None, training: bool
    ) -> tuple[Tensor, State]:
        """h_t of every step `[batch, time, outputs]` and the last states, with dropout."""
        input_masks, recurrent_masks = self._dropout_masks(steps, state[0], training)
        input_kernel: InputKernel | None = self.input_kernel()
        if input_masks is not None and len(input_masks) > 1:  # a product of its own for each gate
            steps, input_kernel = self.project_inputs(steps, input_masks), None
        elif input_masks is not None:
            steps = steps * input_masks[0]
        return whole_sequence(
            self.equations(),
            self.loop_weights(training, recurrent_masks),
            input_kernel,
            steps,
            state,
            mask,
            unroll=self.unroll,
            jit_compile=self.jit_compile,
        )

    def _dropout_masks(
        self, x: Tensor, h: Tensor, training: bool
    ) -> tuple[list[Tensor] | None, list[Tensor] | None]:
        """Masks drawn as Keras's cells draw them: constant over time, one a gate where it does."""
        if not training:
            return None, None
        count = self.gates if self.implementation == 1 else 1
        inputs = recurrent = None
        if self.dropout:
            masks = draw_masks(x[:, 0], self.dropout, count, self.seed_generator)
            inputs = [ops.expand_dims(mask, 1) for mask in masks]  # [batch, 1, features]
        if self.recurrent_dropout:
            recurrent = draw_masks(h, self.recurrent_dropout, count, self.seed_generator)
        return inputs, recurrent

    def _results(
        self, outputs: Tensor, state: State, mask: Tensor | None, may_start_late: bool
    ) -> Tensor | State:
        last = state[0]
        if mask is not None and self.zero_output_for_mask:
            outputs = ops.where(mask, outputs, ops.zeros_like(outputs))
            if not self.return_sequences:
                last = outputs[:, -1]
        elif mask is not None and may_start_late:
            # Before its first unmasked step a row's output is 0, although its state is not.
            started = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
            outputs = ops.where(started, outputs, ops.zeros_like(outputs))
            last = ops.where(ops.any(mask, axis=1), last, ops.zeros_like(last))
        result = outputs if self.return_sequences else last
        return (result, *state) if self.return_state else result

    def step(self, inputs: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step, for decoding: no loop in the graph.

        Args:
            inputs: `[batch, features]`.
            state: the states, `[batch, size]` each, as `get_initial_state` returns them.

        Returns:
            `(h_t, new states)`.
        """
        if not self.built:
            self.build((inputs.shape[0], None, inputs.shape[-1]))
        term = self.project_inputs(self._cast(inputs))
        advance = make_advance(self.equations(), self.loop_weights())
        new_state, _, _ = advance(term, tuple(self._cast(s) for s in state))
        return new_state[0], list(new_state)

    # --- Keras ------------------------------------------------------------------------------

    def cell_variables(self) -> list[keras.Variable]:
        """Those that Keras's layer keeps in its cell: all but learnt initial states."""
        beside = {id(variable) for variable in self.initial_states}
        return [v for v in self.weights if id(v) not in beside]

    def save_own_variables(self, store: Store) -> None:
        for i, variable in enumerate(self.initial_states):  # the others lie in the cell
            store[str(i)] = variable

    def load_own_variables(self, store: Store) -> None:
        every = self.cell_variables() + self.initial_states
        self.variables_are_read = len(store.keys()) == len(every)  # as earlier versions wrote
        assign(self.name, every if self.variables_are_read else self.initial_states, store)

    def compute_output_shape(
        self, sequences_shape: Shape, initial_state_shape: Nest = None
    ) -> Shape | tuple[Shape, ...]:
        batch, time = sequences_shape[:2]
        axes = (batch, time) if self.return_sequences else (batch,)
        output = (*axes, self.output_size)
        states = [(batch, size) for size in self.state_size]
        return (output, *states) if self.return_state else output

    def compute_mask(self, _: Tensor, mask: Nest) -> Tensor | list[Tensor | None] | None:
        mask = keras.tree.flatten(mask)[0]
        output = mask if self.return_sequences else None
        return [output] + [None] * len(self.state_names) if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        usual = {**NOT_OF_KERAS, "implementation": 1 if self.recurrent_dropout else 2}
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "seed": self.seed,
            **{k: getattr(self, k) for k, default in usual.items() if getattr(self, k) != default},
        }
