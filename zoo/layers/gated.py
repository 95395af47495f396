"""Bases of the recurrent layers with gates: their activation, and the forget gate's bias."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from zoo.layers.recurrent import Recurrent

Tensor = Any


class Gated(Recurrent):
    """A recurrent layer whose gates have an activation of their own (`recurrent_activation`)."""

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, **kwargs)
        self.recurrent_activation = keras.activations.get(recurrent_activation)

    def get_config(self) -> dict[str, Any]:
        serialized = keras.activations.serialize(self.recurrent_activation)
        return {**super().get_config(), "recurrent_activation": serialized}


class ForgetBias(Gated):
    """A gated layer with a forget gate, whose bias starts at 1 by default."""

    forget_gate: ClassVar[int] = 0

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, recurrent_activation, use_bias, **kwargs)
        self.unit_forget_bias = unit_forget_bias

    def make_bias_initializer(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer

        def blocks(_: Any, *args: Any, **kwargs: Any) -> Tensor:
            ones = keras.initializers.Ones()
            each = [
                ones if g == self.forget_gate else self.bias_initializer for g in range(self.gates)
            ]
            return ops.concatenate([make((self.units,), *args, **kwargs) for make in each])

        return blocks

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
