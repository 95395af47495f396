"""Compiling a function of tensors on whichever Keras backend is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

MOST_SHAPES = 256  # of a compiled function's calls that are remembered


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one graph call: tf.function on TensorFlow, jit on JAX, unchanged elsewhere.

    Shapes may vary from call to call; the TensorFlow graph is traced with unknown dimensions after
    the second shape, so it is not traced again and again. Arguments are tensors or mappings of
    tensors.
    """
    if keras.backend.backend() == "tensorflow":
        return _GraphCall(function)
    if keras.backend.backend() == "jax":
        return _jitted_without_side_effects(function)
    return function


class _GraphCall:
    """A tf.function that remembers which graph fits which shapes.

    tf.function finds that out in each call anew, in a tenth of a millisecond: a tenth of what a
    small model's step takes.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        import tensorflow as tf

        def positional(*arguments: Any) -> Any:  # a remembered graph knows no default values
            return function(*arguments)

        self.function = tf.function(positional, reduce_retracing=True, autograph=False)
        self._graphs: dict[Any, Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        key = _shapes(arguments)
        graph = self._graphs.get(key)
        if graph is None:
            if len(self._graphs) >= MOST_SHAPES:
                return self.function(*arguments)
            graph = self._graphs[key] = self.function.get_concrete_function(*arguments)
        return graph(*arguments)


def _shapes(arguments: Any) -> tuple[Any, ...]:
    """Shapes and types of arguments and of the values of mappings among them."""
    return tuple(
        (tuple(a), _shapes(a.values())) if isinstance(a, Mapping) else (tuple(a.shape), a.dtype)
        for a in arguments
    )


def as_ids(values: Any) -> Any:
    """Token ids as an int32 tensor; Keras's conversion takes long over NumPy arrays."""
    if keras.backend.backend() == "tensorflow" and isinstance(values, np.ndarray):
        import tensorflow as tf

        return tf.constant(values, tf.int32)
    return ops.convert_to_tensor(values, dtype="int32")


def _jitted_without_side_effects(function: Callable[..., Any]) -> Callable[..., Any]:
    import jax

    def pure(*arguments: Any) -> Any:
        # Reading variables inside a trace is allowed; a stateless scope forbids writing them.
        with keras.StatelessScope():
            return function(*arguments)

    return jax.jit(pure)


def gradient_is_recorded() -> bool:
    """Whether this call may be differentiated.

    On TensorFlow: a `tf.GradientTape` is recording it, which there is no public way to ask. JAX
    and PyTorch do not say.
    """
    if keras.backend.backend() != "tensorflow":
        return True
    from tensorflow.python.eager import record

    return bool(record.could_possibly_record())
