"""The weights of every recurrent layer: how each is made, and as the recurrence takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.layers.recurrence.cell import InputKernel, product_by_gate, project_inputs
from zoo.types import ConstraintLike, InitializerLike, RegularizerLike, Shape, Tensor


class RecurrentWeights(keras.layers.Layer):
    """Kernel W, recurrent kernel U and bias b; `zoo.layers.Recurrent` is made on it.

    Args:
        units, use_bias, *_initializer, *_regularizer, *_constraint: as in `keras.layers.LSTM`.
        **kwargs: as in `keras.layers.Layer`.

    Raises:
        ZooError: units below 1.
    """

    gates: ClassVar[int] = 1
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    # What `step` saves first, as `zoo.layers.cell_stages` names it: gates and new memory.
    stage_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        units: int,
        use_bias: bool,
        kernel_initializer: InitializerLike,
        recurrent_initializer: InitializerLike,
        bias_initializer: InitializerLike,
        kernel_regularizer: RegularizerLike,
        recurrent_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        kernel_constraint: ConstraintLike,
        recurrent_constraint: ConstraintLike,
        bias_constraint: ConstraintLike,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(units, int | np.integer) or units < 1:
            raise ZooError(f"units must be an integer of at least 1, got {units!r}")
        self.units = int(units)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    @property
    def output_size(self) -> int:
        """Size of h_t."""
        return self.units

    @property
    def state_size(self) -> list[int]:
        """Sizes of the states, h first."""
        return [self.output_size] + [self.units] * (len(self.state_names) - 1)

    def build_weights(self, features: int) -> None:
        """W, U and b, in Keras's order; then what the cell adds."""
        self.kernel = self.build_input_kernel(features)
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.output_size, self.gates * self.units),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self.bias_shape(),
                initializer=self.make_bias_initializer(),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.build_more()

    def build_input_kernel(self, features: int) -> keras.Variable | None:
        """W; None for a layer whose inputs are W x + b already."""
        return self.add_kernel("kernel", (features, self.gates * self.units))

    def add_kernel(self, name: str, shape: tuple[int, int]) -> keras.Variable:
        """A matrix with the initializer, regularizer and constraint of the kernel."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    # --- what a cell may change -------------------------------------------------------------

    def build_more(self) -> None:
        """Weights of a cell beyond kernel, recurrent kernel and bias."""

    def bias_shape(self) -> Shape:
        """`[gates * units]`, or with a second axis where a cell has two biases."""
        return (self.gates * self.units,)

    def make_bias_initializer(self) -> InitializerLike:
        """The bias's initializer, for cells that start a gate's bias apart."""
        initializer: InitializerLike = self.bias_initializer
        return initializer

    def input_bias(self) -> Tensor | None:
        """The bias added to the inputs' term, `[gates * units]`."""
        return self._cast(self.bias) if self.use_bias else None

    def recurrent_bias(self) -> Tensor | None:
        """The bias added to the recurrent product, for cells that have one."""
        return None

    def projection(self) -> Tensor | None:
        """The recurrent projection P `[units, outputs]`, for cells that have one."""
        return None

    # --- the weights in use ------------------------------------------------------------------

    def input_kernel(self) -> InputKernel:
        """W and b of p_t = W x_t + b."""
        return InputKernel(self._cast(self.kernel), self.input_bias())

    def project_inputs(self, inputs: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        """W x + b: `[..., features] -> [..., gates * units]`, one product for all steps.

        `masks`, one a gate, multiply x before each gate's part of W.
        """
        input_kernel = self.input_kernel()
        if masks is None:
            return project_inputs(inputs, input_kernel)
        terms = product_by_gate(inputs, input_kernel.kernel, masks)
        return terms if input_kernel.bias is None else terms + input_kernel.bias

    def _cast(self, x: Tensor) -> Tensor:
        return ops.cast(x, self.compute_dtype)

    # --- Keras ------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": keras.regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": keras.constraints.serialize(self.recurrent_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
        }
