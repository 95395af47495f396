"""One level of the translation model's decoder: a recurrence of its own, or the encoder's.

    p_t = W x_t + b,   h_t = f(p_t, U h_{t-1})

x_t is the concatenation of what the model's switches feed the decoder, which may be nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from zoo.layers.recurrence.cell import make_advance
from zoo.layers.recurrence.whole_sequence import recurrence
from zoo.layers.recurrent import Recurrent
from zoo.types import Tensor


class SplitDense(keras.layers.Layer):
    """W [x_1; x_2; ...] (+ b) without forming the concatenation: the parts may be broadcast.

    Args:
        sizes: features of each part.
        units: features of the result.
        use_bias: add b.
    """

    def __init__(
        self, sizes: Sequence[int], units: int, use_bias: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
        self.kernel = self.add_weight(name="kernel", shape=(self.starts[-1], units))
        self.bias = None
        if use_bias:
            self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
        self.built = True

    def part(self, place: int, x: Tensor) -> Tensor:
        """W's share for part number `place`: [..., size] -> [..., units]."""
        kernel = self.kernel[self.starts[place] : self.starts[place + 1]]
        return ops.matmul(self._cast(x), self._cast(kernel))

    def offset(self) -> Tensor:
        """b."""
        return self._cast(self.bias)

    def call(self, *parts: Tensor) -> Tensor:
        total = self.part(0, parts[0])
        for place, x in enumerate(parts[1:], 1):
            total = total + self.part(place, x)
        return total if self.bias is None else total + self.offset()

    def _cast(self, x: Tensor) -> Tensor:
        return ops.cast(x, self.compute_dtype)


class Level(keras.layers.Layer):
    """One level of the decoder.

    Args:
        recurrent: gives f, U and b: a layer of the decoder's own, or the encoder's.
        owned: whether `recurrent` belongs to this level.
        sizes: features of the parts of x_t; none for a level without input.
        reuse_kernel: take W from `recurrent` too.
    """

    def __init__(
        self,
        recurrent: Recurrent,
        owned: bool,
        sizes: Sequence[int],
        reuse_kernel: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.own = recurrent if owned else None
        # Behind a function, so that the encoder's weights stay the encoder's alone.
        self._recurrent = lambda: recurrent
        self.reuse_kernel = reuse_kernel
        self.projection: Any = None  # W; presets store it under this name
        if sizes and not reuse_kernel:
            self.projection = SplitDense(
                sizes, recurrent.gates * recurrent.units, name="input", dtype=self.dtype_policy
            )
        self.built = True

    @property
    def recurrent(self) -> Recurrent:
        return self._recurrent()

    def bias(self) -> Tensor:
        """b, or zeros: [gates * units]."""
        bias = self.recurrent.input_bias()
        width = self.recurrent.gates * self.recurrent.units
        return ops.zeros((width,), self.compute_dtype) if bias is None else bias

    def project_inputs(self, *parts: Tensor) -> Tensor:
        """p = W x + b of the parts of x, [..., gates * units]."""
        if self.reuse_kernel:
            return self.recurrent.project_inputs(parts[0])
        return self.bias() if self.projection is None else self.projection(*parts) + self.bias()

    def advance(self, training: bool = False) -> Callable[[Tensor, Sequence[Tensor]], list[Tensor]]:
        """(p_t, s_{t-1}) -> s_t with the weights prepared once, for a loop."""
        recurrent = self.recurrent
        step = make_advance(recurrent.equations(), recurrent.loop_weights(training))
        return lambda p, state: list(step(p, tuple(state))[0])

    def run(self, input_terms: Tensor, state: Sequence[Tensor], training: bool) -> Tensor:
        """h_t of all steps: [batch, time, gates * units] -> [batch, time, outputs]."""
        recurrent = self.recurrent
        outputs, _ = recurrence(
            recurrent.equations(),
            recurrent.loop_weights(training),
            ops.transpose(input_terms, (1, 0, 2)),
            tuple(state),
            jit_compile=recurrent.jit_compile,
        )
        return ops.transpose(outputs, (1, 0, 2))
