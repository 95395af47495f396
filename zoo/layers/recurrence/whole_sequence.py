"""A recurrent layer's whole sequence: p_t = W x_t + b of all steps by one product, then the loop.

Where TensorFlow compiles the loop, the product and the additions are compiled with it; elsewhere
they are operations before and after it.

Axes in this file: batch first, then time, as a layer is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.layers.recurrence.loop import Cell, Projection, State, Weights, product, recurrence

Tensor = Any

_ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


def project(inputs: Tensor, projection: Projection) -> Tensor:
    """W x + b: `[..., features] -> [..., gates * units]`, one product for all steps."""
    projected = product(inputs, projection.kernel)
    return projected if projection.bias is None else projected + projection.bias


def whole_sequence(
    cell: Cell,
    weights: Weights,
    projection: Projection | None,
    inputs: Tensor,
    state: Sequence[Tensor],
    mask: Tensor | None = None,
    unroll: bool = False,
    jit_compile: bool = True,
) -> tuple[Tensor, State]:
    """Run a cell over a whole sequence of inputs.

    Args:
        projection: W and b; None where `inputs` are projected already.
        inputs: `[batch, time, features]`.
        mask: `[batch, time, 1]` bool or None; where False the state is copied.
        cell, weights, state, unroll, jit_compile: as in `recurrence`.

    Returns:
        `(outputs, state)`: h_t of every step `[batch, time, outputs]` and the last states.
    """
    mask = None if mask is None else swap(mask)
    steps = swap(inputs)  # [time, batch, features]
    if _ON_TENSORFLOW and jit_compile and projection is not None:
        from zoo.layers.recurrence.tensorflow import can_compile_all
        from zoo.layers.recurrence.xla import differentiable

        if can_compile_all(cell, weights, steps):
            outputs, final = differentiable(
                cell, weights, steps, tuple(state), mask, unroll, True, projection
            )
            return swap(outputs), final
    projected = steps if projection is None else project(steps, projection)
    outputs, final = recurrence(cell, weights, projected, state, mask, unroll, jit_compile)
    return swap(outputs), final


def swap(x: Tensor) -> Tensor:
    """`[batch, time, size] -> [time, batch, size]` and back."""
    return ops.transpose(x, (1, 0, 2))
