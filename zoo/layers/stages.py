"""The stages of a cell, to be looked at: gates, new memory and states at every step.

A cell's `step` computes them and saves them for its gradient; this runs that very step over a
sequence and keeps what is otherwise thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from zoo.layers.recurrence.cell import make_advance
from zoo.layers.recurrence.loop import scan
from zoo.layers.recurrent import Recurrent
from zoo.types import State, Tensor


def cell_stages(
    layer: Recurrent, sequences: Tensor, initial_state: Sequence[Tensor] | None = None
) -> dict[str, Tensor]:
    """Every stage of a recurrent layer over a sequence, without dropout.

    Args:
        layer: a layer of `zoo.layers`.
        sequences: `[batch, time, features]`; a layer that goes backwards reads from the end.
        initial_state: `[batch, size]` each; None for the layer's own.

    Returns:
        `[batch, time, size]` by the symbol of the equations, in the order of the inputs: z, r,
        h_tilde, h (GRU); i, f, c_tilde, o, c, h (LSTM); f, c_tilde, o, c, h (CIFG); h (RNN).
        `h` is the layer's output.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import GRU, cell_stages
        >>> list(cell_stages(GRU(4), np.zeros((1, 3, 5), "float32")))
        ['z', 'r', 'h_tilde', 'h']
    """
    inputs = ops.cast(sequences, layer.compute_dtype)
    if not layer.built:
        layer.build(tuple(inputs.shape))
    state = initial_state or layer.states or layer.get_initial_state(inputs.shape[0])
    advance = make_advance(layer.equations(), layer.loop_weights())
    count = len(layer.stage_names)

    def body(previous: State, terms: State) -> tuple[State, State]:
        current, saved, _ = advance(terms[0], previous)
        return current, (*saved[:count], *reversed(current))

    terms = ops.transpose(layer.project_inputs(inputs), (1, 0, 2))  # [time, batch, gates * units]
    first = tuple(ops.cast(s, layer.compute_dtype) for s in state)
    _, kept = scan(body, first, (terms,), reverse=layer.go_backwards)
    names = (*layer.stage_names, *reversed(layer.state_names))
    return {name: ops.transpose(stage, (1, 0, 2)) for name, stage in zip(names, kept, strict=True)}
