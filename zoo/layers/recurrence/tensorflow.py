"""The TensorFlow side of the recurrence: the loop, and which calls are differentiated by hand.

A call that nobody differentiates uses the plain loop of stock operations, so what is exported can
be loaded by TensorFlow Serving and converted to TFLite. A call recorded by a `tf.GradientTape`
uses the hand-derived gradient of `recurrence_gradient`, and with a static time axis both loops are
compiled by XLA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zoo.backend import gradient_is_recorded
from zoo.layers.recurrence import loop as common
from zoo.layers.recurrence.loop import Cell, State, Weights

Tensor = Any


def can_compile(projected: Tensor) -> bool:
    """Whether XLA can compile the loops: in a graph, with a time axis that is known."""
    return not tf.executing_eagerly() and projected.shape[0] is not None


def can_compile_all(cell: Cell, weights: Weights, inputs: Tensor) -> bool:
    """Whether a differentiated call on `[time, batch, features]` can be compiled as a whole."""
    by_hand = cell.step_gradient is not None and weights.dropout_masks is None
    known = not tf.executing_eagerly() and inputs.shape[0]
    return bool(by_hand and known and gradient_is_recorded())


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
