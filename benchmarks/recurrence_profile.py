"""What the training step of a recurrent layer is made of: its pieces, and their bare products.

Used by `python -m benchmarks.recurrence --profile`. The pieces are the functions that the layer's
step runs for the parts of a batch, each called alone; `... products` are the matrix products
inside a piece with nothing around them, in the form that is fastest alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from benchmarks.timing import in_turns
from zoo.layers import make_recurrent
from zoo.layers.recurrence import xla
from zoo.layers.recurrence.cell import Weights, product
from zoo.types import Tensor

Parts = dict[str, Callable[[], Any]]
REPEATS = 5
compiled = tf.function(jit_compile=True, autograph=False)
graph = tf.function(autograph=False)


def profile(cell: str, size: tuple[int, int, int], rounds: int) -> dict[str, Any]:
    """A row: milliseconds of each piece, and of the products inside those that hold more."""
    batch, time, units = size
    layer = make_recurrent(cell, units, return_sequences=True)
    layer.build((batch, time, units))
    x = tf.random.normal((time, batch, units))
    parts = pieces(layer, x)
    parts |= products(x, layer.kernel.value, layer.recurrent_kernel.value)
    timed = hot(parts, rounds)
    gradients = 2 * timed["kernel_gradient"]
    return {
        "profile": f"{cell} {batch}x{time}x{units}",
        "input": timed["input_product"],
        "forward": round(timed["forward"] - timed["input_product"], 2),
        "forward_products": timed["forward_products"],
        "backward": timed["backward"],
        "backward_products": timed["backward_products"],
        "kernels": round(gradients, 2),
        "input_gradient": timed["input_gradient"],
        "axes": timed["axes"],
        "sum": round(
            timed["forward"] + timed["backward"] + gradients
            + timed["input_gradient"] + timed["axes"], 2,
        ),
    }  # fmt: skip


def hot(parts: Parts, rounds: int) -> dict[str, float]:
    """Milliseconds of each, called several times in a row: in the step no thread rests between."""

    def several(part: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(REPEATS):
                part()

        return run

    timed = in_turns({name: several(part) for name, part in parts.items()}, rounds)
    return {name: round(values["wall_ms"] / REPEATS, 2) for name, values in timed.items()}


def pieces(layer: Any, x: Tensor) -> Parts:
    """The step's own functions; x `[time, batch, features]`."""
    loops = xla.Loops(layer.equations(), unroll=False, compiled=True)
    loop = Weights(layer.recurrent_kernel.value, layer.recurrent_bias())
    used = xla.Parameters(loop, layer.input_kernel())
    state = tuple(tf.zeros((x.shape[1], layer.units)) for _ in layer.state_names)
    sizes = xla.part_sizes(x.shape[1])
    transposed = xla.transposed_once(used)
    parts = xla.cut(xla.Rows(x, state), sizes)

    @graph
    def forward(parts: Any) -> Any:
        return [loops.forward(part, used) for part in parts]

    @graph
    def backward(runs: Any, upstream: Any) -> Any:
        every = zip(parts, runs, upstream, strict=True)
        return [loops.backward(*one, used, transposed) for one in every]

    @graph
    def input_gradient(d_terms: Any) -> Any:
        return [loops.input_gradient(d, transposed) for d in d_terms]

    @graph
    def axes(x: Tensor, outputs: Any) -> Any:
        rows = xla.cut(xla.Rows(tf.transpose(x, (1, 0, 2)), state), sizes)
        return rows, tf.transpose(xla.joined(outputs).sequence, (1, 0, 2))

    kept = [run for _, run in forward(parts)]
    outputs = [xla.Rows(run.states[0], part.state) for run, part in zip(kept, parts, strict=True)]
    d_parts = backward(kept, outputs)
    d_terms = [d[0] for d in d_parts]
    factors = [d[2][0] for d in d_parts]  # of the recurrent kernel
    batch_first = tf.transpose(x, (1, 0, 2))
    kernel_gradient = graph(xla.sum_over_parts)
    transpose = graph(lambda: xla.transposed_once(used))
    return {
        "forward": lambda: forward(parts),
        "backward": lambda: backward(kept, outputs),
        "kernel_gradient": lambda: kernel_gradient(factors),
        "input_gradient": lambda: input_gradient(d_terms),
        "axes": lambda: (axes(batch_first, outputs), transpose()),
    }


def products(x: Tensor, kernel: Tensor, recurrent: Tensor) -> Parts:
    """The matrix products in the pieces, without anything else."""
    terms = product(x, kernel)

    @compiled
    def loop(h: Tensor, w: Tensor) -> Tensor:
        def body(t: Tensor, h: Tensor, total: Tensor) -> Any:
            a = tf.matmul(h, w)
            return t + 1, h + 1e-3 * a[:, :1], total + a[0, 0]

        return tf.while_loop(lambda t, *_: t < x.shape[0], body, (0, h, 0.0))[2]

    input_product = tf.function(lambda: product(x, kernel))
    transposed = tf.constant(tf.transpose(recurrent).numpy())
    return {
        "input_product": input_product,
        "forward_products": lambda: loop(x[0], recurrent),
        "backward_products": lambda: loop(terms[0], transposed),
    }
