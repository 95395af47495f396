"""The loop over time on every backend, and the recurrence as that loop and nothing else.

Axes in this file: time first, then batch.
"""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.recurrence.cell import Body, Cell, Weights, make_advance
from zoo.types import Nest, State, Tensor

BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":  # the others do not wait for its import
    from zoo.layers.recurrence import while_loop


def scan(
    body: Body, init: State, inputs: Nest, reverse: bool = False, unroll: bool = False
) -> tuple[State, Nest]:
    """`jax.lax.scan` on every backend: `body(carry, inputs_t) -> (carry, kept_t)`.

    Args:
        inputs: any nest of `[time, ...]` tensors.
        reverse: from the last step to the first.
        unroll: write the steps out one after another (TensorFlow, static time only).
    """
    if BACKEND == "tensorflow" and while_loop.is_needed(inputs, unroll):
        return while_loop.while_scan(body, init, inputs, reverse)
    if BACKEND in ("tensorflow", "torch"):
        return _python_scan(body, init, inputs, reverse)
    return ops.scan(body, init, inputs, reverse=reverse)


def _python_scan(body: Body, init: State, inputs: Nest, reverse: bool) -> tuple[State, Nest]:
    """The loop in Python: for code that runs eagerly anyway, or to write the steps out."""
    time = keras.tree.flatten(inputs)[0].shape[0]
    carry, kept = init, []
    for t in reversed(range(time)) if reverse else range(time):
        carry, keep = body(carry, keras.tree.map_structure(lambda x, t=t: x[t], inputs))
        kept.append(keep)
    if reverse:
        kept.reverse()
    stacked = [ops.stack(column) for column in zip(*map(keras.tree.flatten, kept), strict=True)]
    return carry, keras.tree.pack_sequence_as(kept[0], stacked)


def plain(
    cell: Cell,
    weights: Weights,
    input_terms: Tensor,
    state: State,
    mask: Tensor | None,
    unroll: bool = False,
) -> tuple[Tensor, State]:
    """The loop alone: stock operations, nothing saved, differentiated by the backend if at all."""
    advance = make_advance(cell, weights)

    def body(previous: State, inputs: tuple[Tensor, ...]) -> tuple[State, State]:
        current, _, _ = advance(inputs[0], previous)
        if mask is not None:
            current = select(inputs[1], current, previous)
        return current, (current[0],)

    inputs = (input_terms,) if mask is None else (input_terms, mask)
    final, (outputs,) = scan(body, state, inputs, unroll=unroll)
    return outputs, final


def select(mask: Tensor, new: State, old: State) -> State:
    """Each of `new` where the mask is True, else of `old`."""
    return tuple(ops.where(mask, n, o) for n, o in zip(new, old, strict=True))
