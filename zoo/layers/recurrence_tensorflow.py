"""The TensorFlow side of the recurrence: the loop, and compiled loops for training.

A call that nobody differentiates uses the plain loop of stock operations, so what is exported can
be loaded by TensorFlow Serving and converted to TFLite. A call recorded by a `tf.GradientTape`
uses the hand-derived gradient, and with a static time axis both loops are compiled by XLA.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

# TensorFlow has no public way to ask whether a tape is recording.
from tensorflow.python.eager import record

from zoo.layers import recurrence as common
from zoo.layers.recurrence import Cell, Projection, State, Weights

Tensor = Any


def gradient_is_recorded() -> bool:
    """Whether a `tf.GradientTape` is recording this call."""
    return record.could_possibly_record()


def can_compile(projected: Tensor) -> bool:
    """Whether XLA can compile the loops: in a graph, with a time axis that is known."""
    return not tf.executing_eagerly() and projected.shape[0] is not None


def can_compile_all(cell: Cell, weights: Weights, inputs: Tensor) -> bool:
    """Whether a differentiated call on `[time, batch, features]` can be compiled as a whole."""
    by_hand = cell.step_gradient is not None and weights.dropout_masks is None
    known = not tf.executing_eagerly() and inputs.shape[0]
    return bool(by_hand and known and gradient_is_recorded())


def transposed_in_memory(matrix: Tensor) -> Tensor:
    """A transposed copy that XLA does not fold into the products that read it.

    The small products of a loop run up to 1.6 times faster on it.
    """
    return xla.optimization_barrier(tf.transpose(matrix))[0]


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
    wrap = tf.function(jit_compile=True, autograph=False) if compiled else _identity
    transposed = transposed_in_memory if compiled else tf.transpose
    parameters = [*weights[:3], *(projection or (None, None))]

    @wrap
    def run_forward(inputs: Tensor, present: Any, state: State) -> Any:
        used, w = _unpack(parameters, present)
        steps = inputs if w is None else common.product(inputs, w.kernel)
        bias = None if w is None else w.bias
        final, kept = common.forward(cell, used, steps, state, mask, unroll, bias)
        return final, kept

    @wrap
    def run_backward(
        inputs: Tensor, present: Any, state: State, run: Any, d_outputs: Tensor, d_final: State
    ) -> Any:
        used, w = _unpack(parameters, present)
        d_projected, d_state, d_weights = common.backward(
            cell, used, state, mask, run, d_outputs, d_final, unroll, _factors, transposed
        )
        d_all = [*d_weights[:3], None, None]
        if w is not None:
            d_all[3] = common.over_time_and_batch(_factors, inputs, d_projected)
            d_all[4] = None if w.bias is None else tf.reduce_sum(d_projected, axis=(0, 1))
        return d_projected, [d for d in d_all if d is not None], d_state

    @wrap
    def run_input_gradient(d_projected: Tensor, kernel: Tensor) -> Tensor:
        return common.product(d_projected, transposed_in_memory(kernel))

    @tf.custom_gradient
    def run(inputs: Tensor, *rest: Tensor) -> tuple[Any, Callable[..., Any]]:
        present, first = rest[:count], rest[count:]
        final, kept = run_forward(inputs, present, first)

        def gradient(d_outputs: Tensor, *d_final: Tensor) -> tuple[Tensor, ...]:
            d_projected, d_present, d_state = run_backward(
                inputs, present, first, kept, d_outputs, d_final
            )
            d_present = [_sum_of_products(d) for d in d_present]
            w = _unpack(parameters, present)[1]
            d_inputs = d_projected if w is None else run_input_gradient(d_projected, w.kernel)
            return (d_inputs, *d_present, *d_state)

        return (kept.states[0], *final), gradient

    present = [p for p in parameters if p is not None]
    count = len(present)
    outputs, *final = run(inputs, *present, *state)
    return outputs, tuple(final)


def _factors(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """A kernel's gradient before the product: TensorFlow's is faster than XLA's with these."""
    return left, right


def _sum_of_products(gradient: Any) -> Tensor:
    if not isinstance(gradient, tuple | list):
        return gradient
    left, right = gradient
    return tf.matmul(left, right, transpose_a=True)


def _unpack(template: Sequence[Any], present: Sequence[Any]) -> tuple[Weights, Projection | None]:
    """The loop's and the input's weights from a flat list of those that there are."""
    rest = iter(present)
    every = [None if p is None else next(rest) for p in template]
    own = None if every[3] is None else Projection(every[3], every[4])
    return Weights(every[0], every[1], every[2]), own


def _identity(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def scan(
    body: Callable[..., Any], init: State, inputs: Any, reverse: bool, unroll: bool
) -> tuple[State, Any]:
    """`jax.lax.scan` in TensorFlow operations; `inputs` is any nest of `[time, ...]` tensors."""
    flat = [tf.convert_to_tensor(x) for x in keras.tree.flatten(inputs)]
    if tf.executing_eagerly() or (unroll and flat[0].shape[0] is not None):
        return common._python_scan(body, init, inputs, reverse)
    return _while_scan(body, init, inputs, flat, reverse)


def _while_scan(
    body: Callable[..., Any], init: State, inputs: Any, flat: list[Tensor], reverse: bool
) -> tuple[State, Any]:
    """One `while` loop; with a dynamic time axis of length 0 the carry comes back unchanged."""
    static_time = flat[0].shape[0]
    time = tf.shape(flat[0])[0] if static_time is None else static_time
    steps = time
    if static_time is None:  # an empty TensorArray cannot be stacked: loop once and discard
        steps = tf.maximum(time, 1)
        flat = [_pad_to_one_step(x) for x in flat]
    arrays = [_unstacked(x, steps) for x in flat]
    example = _kept_structure(body, init, inputs, flat)
    kept = [
        tf.TensorArray(spec.dtype, size=steps, element_shape=spec.shape)
        for spec in keras.tree.flatten(example)
    ]

    def loop(i: Tensor, carry: State, kept: list[tf.TensorArray]) -> tuple[Any, ...]:
        t = steps - 1 - i if reverse else i
        inputs_t = keras.tree.pack_sequence_as(inputs, [a.read(t) for a in arrays])
        new_carry, keep = body(tuple(carry), inputs_t)
        for new, old in zip(new_carry, carry, strict=True):
            new.set_shape(old.shape)
        flat_keep = keras.tree.flatten(keep)
        written = [a.write(t, x) for a, x in zip(kept, flat_keep, strict=True)]
        return i + 1, tuple(new_carry), written

    _, final, kept = tf.while_loop(
        lambda i, *_: i < steps, loop, (0, tuple(init), kept), maximum_iterations=steps
    )
    stacked = [array.stack() for array in kept]
    if static_time is None:
        final = tuple(tf.where(time > 0, f, s) for f, s in zip(final, init, strict=True))
        stacked = [x[:time] for x in stacked]
    return final, keras.tree.pack_sequence_as(example, stacked)


def _unstacked(x: Tensor, steps: Any) -> tf.TensorArray:
    return tf.TensorArray(x.dtype, size=steps, element_shape=x.shape[1:]).unstack(x)


def _pad_to_one_step(x: Tensor) -> Tensor:
    missing = tf.maximum(1 - tf.shape(x)[0], 0)
    return tf.pad(x, [[0, missing]] + [[0, 0]] * (x.shape.rank - 1))


def _kept_structure(body: Callable[..., Any], init: State, inputs: Any, flat: list[Tensor]) -> Any:
    """Shapes of what `body` keeps a step, from tracing it once in a scratch graph."""

    def spec(x: Tensor) -> tf.TensorSpec:
        return tf.TensorSpec(x.shape, x.dtype)

    first = [tf.TensorSpec(x.shape[1:], x.dtype) for x in flat]
    traced = tf.function(body, autograph=False).get_concrete_function(
        tuple(spec(s) for s in init), keras.tree.pack_sequence_as(inputs, first)
    )
    return traced.structured_outputs[1]
