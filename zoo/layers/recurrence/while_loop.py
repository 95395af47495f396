"""The loop over time in a TensorFlow graph: one `while` of stock operations.

TensorFlow Serving loads it, and TFLite converts it to built-ins.
"""

from __future__ import annotations

from typing import TypeAlias

import keras
import tensorflow as tf

from zoo.layers.recurrence.cell import Body
from zoo.types import Nest, State, Tensor

Count: TypeAlias = int | Tensor  # a number of steps: known, or a scalar of the graph


def is_needed(inputs: Nest, unroll: bool) -> bool:
    """Whether the loop is one of the graph: not in eager code, nor where it is unrolled."""
    known = keras.tree.flatten(inputs)[0].shape[0] is not None
    return not (tf.executing_eagerly() or (unroll and known))


def while_scan(body: Body, init: State, inputs: Nest, reverse: bool) -> tuple[State, Nest]:
    """`jax.lax.scan` over `inputs`, any nest of `[time, ...]` tensors.

    With a dynamic time axis of length 0 the carry comes back unchanged.
    """
    flat = [tf.convert_to_tensor(x) for x in keras.tree.flatten(inputs)]
    static_time = flat[0].shape[0]
    time: Count = tf.shape(flat[0])[0] if static_time is None else static_time
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

    def loop(
        i: Tensor, carry: State, kept: list[tf.TensorArray]
    ) -> tuple[Tensor, State, list[tf.TensorArray]]:
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


def _unstacked(x: Tensor, steps: Count) -> tf.TensorArray:
    return tf.TensorArray(x.dtype, size=steps, element_shape=x.shape[1:]).unstack(x)


def _pad_to_one_step(x: Tensor) -> Tensor:
    missing = tf.maximum(1 - tf.shape(x)[0], 0)
    return tf.pad(x, [[0, missing]] + [[0, 0]] * (x.shape.rank - 1))


def _kept_structure(body: Body, init: State, inputs: Nest, flat: list[Tensor]) -> Nest:
    """Shapes of what `body` keeps a step, from tracing it once in a scratch graph."""

    def spec(x: Tensor) -> tf.TensorSpec:
        return tf.TensorSpec(x.shape, x.dtype)

    one_step = [tf.TensorSpec(x.shape[1:], x.dtype) for x in flat]
    traced = tf.function(body, autograph=False).get_concrete_function(
        tuple(spec(s) for s in init), keras.tree.pack_sequence_as(inputs, one_step)
    )
    return traced.structured_outputs[1]
