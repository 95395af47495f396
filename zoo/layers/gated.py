"""Bases of the recurrent layers with gates: their activation, and the forget gate's bias."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from zoo.layers.recurrent import Recurrent
from zoo.types import ActivationLike, InitializerLike, Shape, Tensor


class Gated(Recurrent):
    """A recurrent layer whose gates have an activation of their own.

    Args:
        *arguments, **options: as in `zoo.layers.Recurrent`.
        recurrent_activation: of the gates.
    """

    def __init__(
        self,
        *arguments: Any,
        recurrent_activation: ActivationLike = "sigmoid",
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.recurrent_activation = keras.activations.get(recurrent_activation)

    def get_config(self) -> dict[str, Any]:
        serialized = keras.activations.serialize(self.recurrent_activation)
        return {**super().get_config(), "recurrent_activation": serialized}


class ForgetBias(Gated):
    """A gated layer with a forget gate, whose bias starts at 1 by default.

    Args:
        *arguments, **options: as in `Gated`.
        unit_forget_bias: start the forget gate's bias at 1.
    """

    forget_gate: ClassVar[int] = 0

    def __init__(self, *arguments: Any, unit_forget_bias: bool = True, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.unit_forget_bias = unit_forget_bias

    def make_bias_initializer(self) -> InitializerLike:
        if not self.unit_forget_bias:
            return super().make_bias_initializer()

        def blocks(_: Shape, *args: Any, **kwargs: Any) -> Tensor:
            ones = keras.initializers.Ones()
            each = [
                ones if g == self.forget_gate else self.bias_initializer for g in range(self.gates)
            ]
            return ops.concatenate([make((self.units,), *args, **kwargs) for make in each])

        return blocks

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
