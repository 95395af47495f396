"""A whole sequence through a cell: p_t = W x_t + b of all steps by one product, then the loop.

Which loop, and who differentiates it:
    nobody, or a cell without a derivative      `loop.plain`: stock operations, which export
    a `tf.GradientTape`                         `xla.differentiable`: compiled, side by side, where
                                                the time axis is static, the product with the loop
    JAX                                         `jax_rule.differentiable`
    PyTorch                                     `loop.plain` by its own means
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from zoo.backend import gradient_is_recorded
from zoo.layers.recurrence.cell import (
    Cell,
    InputKernel,
    Weights,
    differentiated_by_hand,
    project_inputs,
)
from zoo.layers.recurrence.loop import plain
from zoo.types import State, Tensor

BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":  # the others do not wait for its import
    from zoo.layers.recurrence import xla
elif BACKEND == "jax":
    from zoo.layers.recurrence import jax_rule


def whole_sequence(
    cell: Cell,
    weights: Weights,
    input_kernel: InputKernel | None,
    inputs: Tensor,
    state: Sequence[Tensor],
    mask: Tensor | None = None,
    unroll: bool = False,
    jit_compile: bool = True,
) -> tuple[Tensor, State]:
    """Run a cell over a whole sequence, batch first, as a layer is called.

    Args:
        cell: the cell's mathematics.
        weights: the weights inside the loop.
        input_kernel: W and b; None where `inputs` are W x_t + b already.
        inputs: `[batch, time, features]`.
        state: the initial states, each `[batch, size]`.
        mask: `[batch, time, 1]` bool or None; where False the state is copied.
        unroll: write the steps out one after another (static time only).
        jit_compile: let the TensorFlow backend compile the loops of a differentiated call.

    Returns:
        `(outputs, state)`: h_t of every step `[batch, time, outputs]` and the last states.
    """
    mask = None if mask is None else swap(mask)
    outputs, final = recurrence(
        cell, weights, swap(inputs), tuple(state), mask, unroll, jit_compile, input_kernel
    )
    return swap(outputs), final


def recurrence(
    cell: Cell,
    weights: Weights,
    inputs: Tensor,
    state: State,
    mask: Tensor | None = None,
    unroll: bool = False,
    jit_compile: bool = True,
    input_kernel: InputKernel | None = None,
) -> tuple[Tensor, State]:
    """`whole_sequence` with time first: `inputs` `[time, batch, .]`, `mask` `[time, batch, 1]`."""
    if inputs.shape[0] == 0:
        return ops.zeros((0, *ops.shape(state[0])), dtype=state[0].dtype), state
    by_hand = differentiated_by_hand(cell, weights) and gradient_is_recorded()
    compiled = BACKEND == "tensorflow" and by_hand and jit_compile and xla.can_compile(inputs)
    if input_kernel is not None and not compiled:
        inputs, input_kernel = project_inputs(inputs, input_kernel), None
    if by_hand and BACKEND == "tensorflow":
        return xla.differentiable(
            cell, weights, inputs, state, mask, unroll, compiled, input_kernel
        )
    if by_hand and BACKEND == "jax":
        return jax_rule.differentiable(cell, weights, inputs, state, mask)
    return plain(cell, weights, inputs, state, mask, unroll)


def swap(x: Tensor) -> Tensor:
    """`[batch, time, size] -> [time, batch, size]` and back."""
    return ops.transpose(x, (1, 0, 2))
