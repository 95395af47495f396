"""The differentiated recurrence on TensorFlow: compiled loops, side by side over parts of a batch.

The rows of a batch meet only in the sums that are the weights' gradients,
    ∂J/∂U = Σ_parts Σ_t (∂J/∂a_t) h_{t-1}ᵀ
so the batch is cut into a part for each core and the parts' loops, compiled by XLA, run side by
side. What one loop does on one core (a step's elementwise work, the waiting for its product's
last thread) is shared out that way.

Axes in this file: time first, then batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import tensorflow as tf

from zoo.layers.recurrence import loop as common
from zoo.layers.recurrence.loop import Cell, Projection, State, Weights
from zoo.processors import usable_cores

Tensor = Any
Factors = tuple[Tensor, Tensor]  # a gradient before the product that sums it over its rows

ROWS_PER_PART = 8  # fewer rows do not pay for reading the recurrent kernel once more


class Rows(NamedTuple):
    """Some rows of a batch, or the gradient for them."""

    sequence: Tensor  # [time, rows, .]
    state: State  # each [rows, size]
    mask: Tensor | None = None  # [time, rows, 1]


class Parameters(NamedTuple):
    """All weights of a call; `own` is None where the inputs are projected already."""

    loop: Weights
    own: Projection | None


def differentiable(
    cell: Cell,
    weights: Weights,
    inputs: Tensor,
    state: State,
    mask: Tensor | None,
    unroll: bool,
    compiled: bool,
    projection: Projection | None = None,
) -> tuple[Tensor, State]:
    """`forward` with `backward` as its gradient; see `recurrence.recurrence`.

    With a `projection`, `inputs` are `[time, batch, features]` before it, and the product is
    compiled together with the loop (see `projected.whole_sequence`).
    """
    template = Parameters(weights, projection)
    present = _present(template)
    shapes = tuple(f"{x.dtype} {x.shape}" for x in (inputs, *present))
    loops = make_loops(cell, unroll, compiled, shapes, mask is None)
    sizes = part_sizes(inputs.shape[1]) if compiled else [-1]

    @tf.custom_gradient
    def run(inputs: Tensor, *rest: Tensor) -> tuple[Any, Callable[..., Any]]:
        used = _filled(template, rest[: len(present)])
        parts = cut(Rows(inputs, rest[len(present) :], mask), sizes)
        finals, kept = zip(*(loops.forward(part, used) for part in parts), strict=True)
        outputs = [one.states[0] for one in kept]
        result = joined([Rows(*one) for one in zip(outputs, finals, strict=True)])

        def gradient(d_outputs: Tensor, *d_final: Tensor) -> tuple[Tensor, ...]:
            upstream = cut(Rows(d_outputs, d_final), sizes)
            d_rows, d_weights = _gradients(loops, used, parts, kept, upstream)
            return (d_rows.sequence, *d_weights, *d_rows.state)

        return (result.sequence, *result.state), gradient

    outputs, *final = run(inputs, *present, *state)
    return outputs, tuple(final)


def _gradients(
    loops: Loops,
    used: Parameters,
    parts: list[Rows],
    kept: Sequence[common.Run],
    upstream: list[Rows],
) -> tuple[Rows, list[Tensor]]:
    """The gradient for the rows of all parts and for the weights that there are."""
    transposed = transposed_once(used)
    every = zip(parts, kept, upstream, strict=True)
    back = [loops.backward(*one, used, transposed) for one in every]
    d_projected, d_state, d_weights = zip(*back, strict=True)
    d_inputs = [loops.input_gradient(d, transposed) for d in d_projected]
    d_rows = joined([Rows(*one) for one in zip(d_inputs, d_state, strict=True)])
    return d_rows, [sum_over_parts(one) for one in zip(*d_weights, strict=True)]


class Loops:
    """The pieces of a call on some rows, each compiled or not."""

    def __init__(self, cell: Cell, unroll: bool, compiled: bool) -> None:
        self.cell, self.unroll = cell, unroll
        wrap = tf.function(jit_compile=True, autograph=False) if compiled else _identity
        self.forward = wrap(self._forward)
        self.backward = wrap(self._backward)
        self.input_gradient = wrap(self._input_gradient)

    def _forward(self, rows: Rows, used: Parameters) -> tuple[State, common.Run]:
        steps, bias = rows.sequence, None
        if used.own is not None:
            steps, bias = common.product(steps, used.own.kernel), used.own.bias
        return common.forward(self.cell, used.loop, steps, *rows[1:], self.unroll, bias)

    def _backward(
        self,
        rows: Rows,
        run: common.Run,
        upstream: Rows,
        used: Parameters,
        transposed: Parameters,
    ) -> tuple[Tensor, State, list[Tensor | Factors]]:
        d_projected, d_state, d_loop = common.backward(
            self.cell,
            used.loop,
            *rows[1:],
            run,
            *upstream[:2],
            unroll=self.unroll,
            kernel_gradient=_factors,
            transposed=transposed.loop,
        )
        d_own = None
        if used.own is not None:
            d_kernel: Any = common.over_time_and_batch(_factors, rows.sequence, d_projected)
            has_bias = used.own.bias is not None
            d_own = Projection(d_kernel, tf.reduce_sum(d_projected, (0, 1)) if has_bias else None)
        return d_projected, d_state, _present(Parameters(d_loop, d_own))

    def _input_gradient(self, d_projected: Tensor, transposed: Parameters) -> Tensor:
        own = transposed.own
        return d_projected if own is None else common.product(d_projected, own.kernel)


@lru_cache(maxsize=64)
def make_loops(cell: Cell, unroll: bool, compiled: bool, *_: Any) -> Loops:
    """The same object for the same arguments: layers of one kind and size are compiled once.

    The last arguments tell shapes apart, so that none of the functions is traced twice.
    """
    return Loops(cell, unroll, compiled)


def part_sizes(batch: int | None) -> list[int]:
    """How many rows go to each core: `[-1]`, all to one, where their number is not known."""
    if batch is None:
        return [-1]
    parts = max(1, min(_cores(), batch // ROWS_PER_PART))
    return [batch * (i + 1) // parts - batch * i // parts for i in range(parts)]


def _cores() -> int:
    threads: int = tf.config.threading.get_intra_op_parallelism_threads()
    return threads or usable_cores()


def cut(rows: Rows, sizes: list[int]) -> list[Rows]:
    """The rows in parts."""
    if len(sizes) == 1:
        return [rows]
    sequences = tf.split(rows.sequence, sizes, axis=1)
    states = zip(*(tf.split(s, sizes) for s in rows.state), strict=True)
    masks = [None] * len(sizes) if rows.mask is None else tf.split(rows.mask, sizes, axis=1)
    return [Rows(*part) for part in zip(sequences, states, masks, strict=True)]


def joined(parts: list[Rows]) -> Rows:
    """The parts, without their masks, as rows of one batch again."""
    if len(parts) == 1:
        return parts[0]
    states = zip(*(part.state for part in parts), strict=True)
    sequence = tf.concat([part.sequence for part in parts], axis=1)
    return Rows(sequence, tuple(tf.concat(s, axis=0) for s in states))


def sum_over_parts(gradients: Sequence[Tensor | Factors]) -> Tensor:
    """A weight's gradient from those of the parts; TensorFlow's product is faster than XLA's."""
    formed = [
        tf.matmul(*g, transpose_a=True) if isinstance(g, tuple | list) else g for g in gradients
    ]
    return tf.add_n(formed) if len(formed) > 1 else formed[0]


def _factors(left: Tensor, right: Tensor) -> Factors:
    return left, right


def transposed_once(used: Parameters) -> Parameters:
    """The matrices' transposes, once for all parts; as arguments no product is folded into them.

    The small products of a loop run up to 1.6 times faster on a transposed copy.
    """
    own = None if used.own is None else Projection(tf.transpose(used.own.kernel))
    return Parameters(common.transposes(used.loop), own)


def _present(parameters: Parameters) -> list[Any]:
    """The weights there are, in a fixed order."""
    return [w for w in (*parameters.loop[:3], *(parameters.own or ())) if w is not None]


def _filled(template: Parameters, present: Sequence[Tensor]) -> Parameters:
    """The template with other weights, in the order of `_present`."""
    rest = iter(present)
    loop = [w if w is None else next(rest) for w in template.loop[:3]]
    own = [w if w is None else next(rest) for w in template.own or ()]
    return Parameters(Weights(*loop), Projection(*own) if own else None)


def _identity(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
