"""The state that a `stateful` layer carries from one call to the next."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.types import Tensor


class CarriedState:
    """State variables of a `stateful` layer, kept out of the layer's weights as in Keras.

    Args:
        batch_size: rows of every later call.
        sizes: size of each state.
        dtype: of the variables.
    """

    def __init__(self, batch_size: int, sizes: Sequence[int], dtype: str) -> None:
        self.batch_size = batch_size
        self.variables = [
            keras.Variable(
                ops.zeros((batch_size, size)), dtype=dtype, trainable=False, name="rnn_state"
            )
            for size in sizes
        ]

    def check(self, batch_size: int | None) -> None:
        """Refuse a batch of another size than the layer was built for."""
        if batch_size not in (None, self.batch_size):
            raise ZooError(
                f"a stateful layer built for batches of {self.batch_size} rows got {batch_size}: "
                "pad the batch, or build another layer"
            )

    def keep(self, states: Sequence[Tensor]) -> None:
        """Take over the last states of a call."""
        for variable, value in zip(self.variables, states, strict=True):
            variable.assign(ops.cast(value, variable.dtype))

    def reset(self) -> None:
        """Back to zeros."""
        for variable in self.variables:
            variable.assign(ops.zeros_like(variable.value))
