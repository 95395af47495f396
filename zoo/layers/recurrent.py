"""The base of every recurrent layer: weights, masks, states and dropout around the one recurrence.

A cell's file adds the equations (`step`, `step_gradient`) and says how many gates and states it
has; the behaviour here is that of `keras.layers.RNN` and its subclasses, argument by argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.recurrence.loop import Cell, Projection, Weights, make_advance
from zoo.layers.recurrence.whole_sequence import project, whole_sequence

Tensor = Any

_SERIALIZED = {
    "kernel_initializer": keras.initializers,
    "recurrent_initializer": keras.initializers,
    "bias_initializer": keras.initializers,
    "kernel_regularizer": keras.regularizers,
    "recurrent_regularizer": keras.regularizers,
    "bias_regularizer": keras.regularizers,
    "kernel_constraint": keras.constraints,
    "recurrent_constraint": keras.constraints,
    "bias_constraint": keras.constraints,
}
_CONFIG_NAMES = (
    *("units", "use_bias", "dropout", "recurrent_dropout", "seed", "implementation"),
    *("return_sequences", "return_state", "go_backwards", "stateful", "unroll"),
    *("zero_output_for_mask", "learn_initial_state", "weight_drop", "jit_compile"),
)
_DEFAULTS = {
    "kernel_initializer": "glorot_uniform",
    "recurrent_initializer": "orthogonal",
    "bias_initializer": "zeros",
}


class CarriedState:
    """State variables of a `stateful` layer, kept out of the layer's weights as in Keras."""

    def __init__(self, shapes: Sequence[tuple[int, int]], dtype: str) -> None:
        self.variables = [
            keras.Variable(ops.zeros(shape), dtype=dtype, trainable=False, name="rnn_state")
            for shape in shapes
        ]


class Recurrent(keras.layers.Layer):
    """Base class of the recurrent layers; use a subclass such as `zoo.layers.LSTM`.

    Args:
        units: size of the hidden state.
        activation, use_bias, *_initializer, *_regularizer, *_constraint, dropout,
            recurrent_dropout, seed, return_sequences, return_state, go_backwards, stateful,
            unroll, zero_output_for_mask: as in `keras.layers.RNN` and its subclasses.
        learn_initial_state: make the initial states weights (h_0 of [5]) instead of zeros; an
            `initial_state` given to a call still wins.
        weight_drop: share of the recurrent kernel's entries dropped in each training call (one
            mask for all steps), as in AWD-LSTM.
        jit_compile: let the TensorFlow backend compile training loops with XLA where the time
            axis is static. Never affects inference or exported graphs.

    Call arguments: `sequences` `[batch, time, features]`, `initial_state` a list of
    `[batch, size]`, `mask` `[batch, time]` bool (False: copy the state, repeat the output),
    `training`.

    Raises:
        ZooError: units below 1, or a rate outside [0, 1).
    """

    gates: ClassVar[int] = 1
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        *,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        learn_initial_state: bool = False,
        weight_drop: float = 0.0,
        jit_compile: bool = True,
        **kwargs: Any,
    ) -> None:
        given = {name: kwargs.pop(name, _DEFAULTS.get(name)) for name in _SERIALIZED}
        implementation = kwargs.pop("implementation", 2)
        kwargs.pop("use_cudnn", None)  # Keras's GPU switch: there is one implementation here
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ZooError(f"units must be an integer of at least 1, got {units!r}")
        rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout}
        for name, rate in {**rates, "weight_drop": weight_drop}.items():
            if not 0 <= rate < 1:
                raise ZooError(f"{name} must be in [0, 1), got {rate!r}")
        self.units = units
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        for name, module in _SERIALIZED.items():
            setattr(self, name, module.get(given[name]))
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.implementation = 1 if recurrent_dropout else implementation
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed=seed)
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.learn_initial_state, self.weight_drop = learn_initial_state, weight_drop
        self.jit_compile = jit_compile
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self._carried: CarriedState | None = None

    # --- what a cell says -------------------------------------------------------------------

    def cell(self) -> Cell:
        """The cell's mathematics with this layer's activations."""
        raise NotImplementedError(f"{type(self).__name__} must define cell()")

    @property
    def output_size(self) -> int:
        """Size of h_t."""
        return self.units

    @property
    def state_size(self) -> list[int]:
        """Sizes of the states, h first."""
        return [self.output_size] + [self.units] * (len(self.state_names) - 1)

    def bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def make_bias_initializer(self) -> Any:
        return self.bias_initializer

    def input_bias(self) -> Tensor | None:
        """The bias added to the projected inputs, `[gates * units]`."""
        return self._cast(self.bias) if self.use_bias else None

    def recurrent_bias(self) -> Tensor | None:
        """The bias added to the recurrent product, for cells that have one."""
        return None

    # --- weights ----------------------------------------------------------------------------

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        width = self.gates * self.units
        self.kernel = self._add("kernel", (sequences_shape[-1], width), self.kernel_initializer)
        self.recurrent_kernel = self._add(
            "recurrent", (self.output_size, width), self.recurrent_initializer, "recurrent_kernel"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self._add("bias", self.bias_shape(), self.make_bias_initializer())
        self.build_more()
        self.initial_states = []
        if self.learn_initial_state:
            self.initial_states = [
                self.add_weight(name=f"initial_{name}", shape=(size,), initializer="zeros")
                for name, size in zip(self.state_names, self.state_size, strict=True)
            ]
        if self.stateful:
            self._build_carried_state(sequences_shape[0])

    def build_more(self) -> None:
        """Weights of a cell beyond kernel, recurrent kernel and bias."""

    def _add(self, kind: str, shape: Any, initializer: Any, name: str | None = None) -> Any:
        return self.add_weight(
            name=name or kind,
            shape=shape,
            initializer=initializer,
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
        )

    def _build_carried_state(self, batch_size: int | None) -> None:
        if batch_size is None:
            raise ZooError("stateful=True needs a fixed batch size, got a batch axis of None")
        shapes = [(batch_size, size) for size in self.state_size]
        self._carried = CarriedState(shapes, self.variable_dtype)

    def reset_state(self) -> None:
        """Set the states of a `stateful` layer to zero."""
        for variable in self._carried.variables if self._carried else ():
            variable.assign(ops.zeros_like(variable))

    reset_states = reset_state

    @property
    def states(self) -> list[Any] | None:
        """The state variables of a `stateful` layer."""
        return self._carried.variables if self._carried else None

    def _cast(self, x: Any) -> Tensor:
        return ops.cast(x, self.compute_dtype)

    def _loop_weights(self, training: bool = False, masks: Any = None) -> Weights:
        kernel = self._cast(self.recurrent_kernel)
        if training and self.weight_drop:
            kernel = keras.random.dropout(kernel, self.weight_drop, seed=self.seed_generator)
        return Weights(kernel, self.recurrent_bias(), self.projection(), masks)

    def projection(self) -> Tensor | None:
        """The recurrent projection P `[units, outputs]`, for cells that have one."""
        return None

    # --- states -----------------------------------------------------------------------------

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Zeros, or the learnt initial states, `[batch, size]` each."""
        if self.learn_initial_state:
            return [
                ops.broadcast_to(self._cast(first), (batch_size, size))
                for first, size in zip(self.initial_states, self.state_size, strict=True)
            ]
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in self.state_size]

    def _first_state(self, sequences: Tensor, given: Any) -> list[Tensor]:
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
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Any:
        state = self._first_state(sequences, initial_state)
        outputs_may_start_late = initial_state is not None or self.learn_initial_state
        steps = self._cast(sequences)  # [batch, time, features]
        mask = None if mask is None else ops.expand_dims(ops.cast(mask, "bool"), -1)
        if self.go_backwards:
            steps = ops.flip(steps, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        input_masks, recurrent_masks = self._dropout_masks(steps, state[0], training)
        projection: Projection | None = self.input_projection()
        if input_masks is not None and len(input_masks) > 1:  # a product of its own for each gate
            steps, projection = self.project(steps, input_masks), None
        elif input_masks is not None:
            steps = steps * input_masks[0]
        outputs, final = whole_sequence(
            self.cell(),
            self._loop_weights(training, recurrent_masks),
            projection,
            steps,
            state,
            mask,
            unroll=self.unroll,
            jit_compile=self.jit_compile,
        )
        if self._carried is not None:
            for variable, value in zip(self._carried.variables, final, strict=True):
                variable.assign(ops.cast(value, variable.dtype))
        return self._results(outputs, final, mask, outputs_may_start_late or self.stateful)

    def _results(self, outputs: Tensor, state: Any, mask: Any, may_start_late: bool) -> Any:
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

    def input_projection(self) -> Projection:
        """W and b of p_t = W x_t + b."""
        return Projection(self._cast(self.kernel), self.input_bias())

    def project(self, inputs: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        """W x + b: `[..., features] -> [..., gates * units]`, one product for all steps.

        `masks`, one a gate, multiply x before each gate's part of W.
        """
        projection = self.input_projection()
        if masks is None:
            return project(inputs, projection)
        kernels = ops.split(projection.kernel, len(masks), axis=1)
        masked = zip(masks, kernels, strict=True)
        projected = ops.concatenate([ops.matmul(inputs * m, w) for m, w in masked], axis=-1)
        return projected if projection.bias is None else projected + projection.bias

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
        projected = self.project(self._cast(inputs))
        state = tuple(self._cast(s) for s in state)
        new_state, _, _ = make_advance(self.cell(), self._loop_weights())(projected, state)
        return new_state[0], list(new_state)

    def _dropout_masks(self, x: Tensor, h: Tensor, training: bool) -> tuple[Any, Any]:
        """Masks drawn as Keras's cells draw them: constant over time, one a gate where it does."""
        if not training or not (self.dropout or self.recurrent_dropout):
            return None, None
        count = self.gates if self.implementation == 1 else 1

        def draw(like: Tensor, rate: float) -> list[Tensor] | None:
            ones = ops.ones_like(like)
            masks = [
                keras.random.dropout(ones, rate, seed=self.seed_generator) for _ in range(count)
            ]
            return masks if rate else None

        inputs = draw(x[:, 0], self.dropout) if self.dropout else None
        inputs = inputs and [ops.expand_dims(m, 1) for m in inputs]  # [batch, 1, features]
        recurrent = draw(h, self.recurrent_dropout) if self.recurrent_dropout else None
        return inputs, recurrent

    # --- Keras ------------------------------------------------------------------------------

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, time = sequences_shape[:2]
        axes = (batch, time) if self.return_sequences else (batch,)
        output = (*axes, self.output_size)
        states = [(batch, size) for size in self.state_size]
        return (output, *states) if self.return_state else output

    def compute_mask(self, _: Any, mask: Any) -> Any:
        mask = keras.tree.flatten(mask)[0]
        output = mask if self.return_sequences else None
        return [output] + [None] * len(self.state_names) if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        config = {name: getattr(self, name) for name in _CONFIG_NAMES}
        config["activation"] = keras.activations.serialize(self.activation)
        for name, module in _SERIALIZED.items():
            config[name] = module.serialize(getattr(self, name))
        regularizer = keras.regularizers.serialize(self.activity_regularizer)
        return {**super().get_config(), **config, "activity_regularizer": regularizer}
