"""The differentiated recurrence on TensorFlow: compiled loops, side by side over parts of a batch.

The rows of a batch meet only in the sums that are the weights' gradients,
    ∂J/∂U = Σ_parts Σ_t (∂J/∂a_t) h_{t-1}ᵀ
so the batch is cut into a part for each core and the parts' loops, compiled by XLA, run side by
side. What one loop does on one core (a step's elementwise work, the waiting for its product's
last thread) is shared out that way.

Axes in this file: time first, then batch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import NamedTuple, TypeAlias, TypeVar

import tensorflow as tf

from zoo.backend import not_recorded
from zoo.layers.recurrence import gradient
from zoo.layers.recurrence.cell import Cell, InputKernel, Weights, product
from zoo.layers.recurrence.gradient import Run
from zoo.layers.recurrence.higher_order import differentiated_as
from zoo.processors import usable_cores
from zoo.types import Nest, State, Tensor

Function = TypeVar("Function", bound=Callable[..., object])
Factors: TypeAlias = tuple[
    Tensor, Tensor
]  # a gradient before the product that sums it over its rows

ROWS_PER_PART = 8  # fewer rows do not pay for reading the recurrent kernel once more


class Rows(NamedTuple):
    """Some rows of a batch, or the gradient for them."""

    sequence: Tensor  # [time, rows, .]
    state: State  # each [rows, size]
    mask: Tensor | None = None  # [time, rows, 1]


class Parameters(NamedTuple):
    """All weights of a call; `input_kernel` is None where the inputs are W x + b already."""

    loop: Weights
    input_kernel: InputKernel | None


def can_compile(inputs: Tensor) -> bool:
    """Whether XLA can compile the loops: in a graph, with a time axis that is known."""
    return not tf.executing_eagerly() and inputs.shape[0] is not None


def differentiable(
    cell: Cell,
    weights: Weights,
    inputs: Tensor,
    state: State,
    mask: Tensor | None,
    unroll: bool,
    compiled: bool,
    input_kernel: InputKernel | None = None,
) -> tuple[Tensor, State]:
    """`forward` with `backward` as its gradient.

    With an `input_kernel`, `inputs` are `[time, batch, features]` before it, and the product is
    compiled together with the loop.
    """
    template = Parameters(weights, input_kernel)
    present = _present(template)
    shapes = tuple(f"{x.dtype} {x.shape}" for x in (inputs, *present))
    loops = make_loops(cell, unroll, compiled, shapes, mask is None)
    sizes = part_sizes(inputs.shape[1]) if compiled else [-1]

    @tf.custom_gradient
    def run(inputs: Tensor, *rest: Tensor) -> tuple[State, Callable[..., State]]:
        used = _filled(template, rest[: len(present)])
        parts = cut(Rows(inputs, rest[len(present) :], mask), sizes)
        finals, kept = zip(*(loops.run(part, used) for part in parts), strict=True)
        outputs = [one.states[0] for one in kept]
        result = joined([Rows(*one) for one in zip(outputs, finals, strict=True)])

        def run_back(d_outputs: Tensor, *d_final: Tensor) -> State:
            upstream = cut(Rows(d_outputs, d_final), sizes)
            d_rows, d_weights = _gradients(loops, used, parts, kept, upstream)
            return (d_rows.sequence, *d_weights, *d_rows.state)

        return (result.sequence, *result.state), run_back

    outputs, *final = run(inputs, *present, *state)
    return outputs, tuple(final)


def _gradients(
    loops: Loops,
    used: Parameters,
    parts: list[Rows],
    kept: Sequence[Run],
    upstream: list[Rows],
) -> tuple[Rows, list[Tensor]]:
    """The gradient for the rows of all parts and for the weights that there are."""
    transposed = transposed_once(used)
    every = zip(parts, kept, upstream, strict=True)
    back = [loops.run_back(*one, used, transposed) for one in every]
    d_terms, d_state, d_weights = zip(*back, strict=True)
    d_inputs = [loops.input_gradient(d, transposed) for d in d_terms]
    d_rows = joined([Rows(*one) for one in zip(d_inputs, d_state, strict=True)])
    return d_rows, [sum_over_parts(one) for one in zip(*d_weights, strict=True)]


class Loops:
    """The pieces of a call on some rows, each compiled or not."""

    def __init__(self, cell: Cell, unroll: bool, compiled: bool) -> None:
        self.cell, self.unroll, self.compiled = cell, unroll, compiled
        wrap = tf.function(jit_compile=True, autograph=False) if compiled else _identity
        self.forward = wrap(self._forward)
        self.backward = wrap(self._backward)
        self.input_gradient = wrap(self._input_gradient)

    def run(self, rows: Rows, used: Parameters) -> tuple[State, Run]:
        """`forward`; no tape sees the compiled one, which is differentiated by `run_back`."""
        with not_recorded() if self.compiled else nullcontext():
            return self.forward(rows, used)

    def run_back(
        self, rows: Rows, run: Run, upstream: Rows, used: Parameters, transposed: Parameters
    ) -> tuple[Tensor, State, list[Tensor | Factors]]:
        """`backward` from what `forward` left; a gradient of it starts anew from the rows."""

        def compiled(_: Rows, upstream: Rows, __: Parameters) -> Nest:
            with not_recorded():
                return self.backward(rows, run, upstream, used, transposed)

        def plain(rows: Rows, upstream: Rows, used: Parameters) -> Nest:
            _, run = self._forward(rows, used)
            return self._backward(rows, run, upstream, used, transposed_once(used))

        if not self.compiled:
            return self.backward(rows, run, upstream, used, transposed)
        return differentiated_as(plain, compiled)(rows, upstream, used)

    def _forward(self, rows: Rows, used: Parameters) -> tuple[State, Run]:
        steps, bias = rows.sequence, None
        if used.input_kernel is not None:
            steps, bias = product(steps, used.input_kernel.kernel), used.input_kernel.bias
        return gradient.forward(self.cell, used.loop, steps, *rows[1:], self.unroll, bias)

    def _backward(
        self,
        rows: Rows,
        run: Run,
        upstream: Rows,
        used: Parameters,
        transposed: Parameters,
    ) -> tuple[Tensor, State, list[Tensor | Factors]]:
        d_terms, d_state, d_loop = gradient.backward(
            self.cell,
            used.loop,
            *rows[1:],
            run,
            *upstream[:2],
            unroll=self.unroll,
            kernel_gradient=_factors,
            transposed=transposed.loop,
        )
        d_input_kernel = _input_kernel_gradient(used.input_kernel, rows.sequence, d_terms)
        return d_terms, d_state, _present(Parameters(d_loop, d_input_kernel))

    def _input_gradient(self, d_terms: Tensor, transposed: Parameters) -> Tensor:
        input_kernel = transposed.input_kernel
        return d_terms if input_kernel is None else product(d_terms, input_kernel.kernel)


def _input_kernel_gradient(
    used: InputKernel | None, inputs: Tensor, d_terms: Tensor
) -> InputKernel | None:
    """∂J/∂W, as factors, and ∂J/∂b."""
    if used is None:
        return None
    d_kernel = gradient.over_time_and_batch(_factors, inputs, d_terms)
    return InputKernel(d_kernel, None if used.bias is None else tf.reduce_sum(d_terms, (0, 1)))


@lru_cache(maxsize=64)
def make_loops(cell: Cell, unroll: bool, compiled: bool, *_: Hashable) -> Loops:
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
    given = used.input_kernel
    input_kernel = None if given is None else InputKernel(tf.transpose(given.kernel))
    return Parameters(gradient.transposes(used.loop), input_kernel)


def _present(parameters: Parameters) -> list[Tensor]:
    """The weights there are, in a fixed order."""
    return [w for w in (*parameters.loop[:3], *(parameters.input_kernel or ())) if w is not None]


def _filled(template: Parameters, present: Sequence[Tensor]) -> Parameters:
    """The template with other weights, in the order of `_present`."""
    rest = iter(present)
    loop = [w if w is None else next(rest) for w in template.loop[:3]]
    input_kernel = [w if w is None else next(rest) for w in template.input_kernel or ()]
    return Parameters(Weights(*loop), InputKernel(*input_kernel) if input_kernel else None)


def _identity(function: Function) -> Function:
    return function
