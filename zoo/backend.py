"""Compiling a function of tensors on whichever Keras backend is in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one graph call: tf.function on TensorFlow, jit on JAX, unchanged elsewhere.

    Shapes may vary from call to call; the TensorFlow graph is traced with unknown dimensions after
    the second shape, so it is not traced again and again.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, reduce_retracing=True, autograph=False)
    if keras.backend.backend() == "jax":
        return _jitted_without_side_effects(function)
    return function


def _jitted_without_side_effects(function: Callable[..., Any]) -> Callable[..., Any]:
    import jax

    def pure(*arguments: Any) -> Any:
        # Reading variables inside a trace is allowed; a stateless scope forbids writing them.
        with keras.StatelessScope():
            return function(*arguments)

    return jax.jit(pure)
