"""What depends on which Keras backend is in use: compiling, token ids, who differentiates."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Generic, TypeAlias, TypeVar

import keras
import numpy as np
from keras import ops

from zoo.types import Tensor

MOST_SHAPES = 256  # of a compiled function's calls that are remembered

Result = TypeVar("Result")
Argument: TypeAlias = Tensor | Mapping[str, Tensor]


def compiled(function: Callable[..., Result]) -> Callable[..., Result]:
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


class _GraphCall(Generic[Result]):
    """A tf.function that remembers which graph fits which shapes.

    tf.function finds that out in each call anew, in a tenth of a millisecond: a tenth of what a
    small model's step takes.
    """

    def __init__(self, function: Callable[..., Result]) -> None:
        import tensorflow as tf

        def positional(*arguments: Argument) -> Result:  # a remembered graph knows no defaults
            return function(*arguments)

        self.function = tf.function(positional, reduce_retracing=True, autograph=False)
        self._graphs: dict[Hashable, Callable[..., Result]] = {}

    def __call__(self, *arguments: Argument) -> Result:
        key = _shapes(arguments)
        graph = self._graphs.get(key)
        if graph is None:
            if len(self._graphs) >= MOST_SHAPES:
                result: Result = self.function(*arguments)
                return result
            graph = self._graphs[key] = self.function.get_concrete_function(*arguments)
        return graph(*arguments)


def _shapes(arguments: Iterable[Argument]) -> tuple[Hashable, ...]:
    """Shapes and types of arguments and of the values of mappings among them."""
    return tuple(
        (tuple(a), _shapes(a.values())) if isinstance(a, Mapping) else (tuple(a.shape), a.dtype)
        for a in arguments
    )


def as_ids(values: Tensor) -> Tensor:
    """Token ids as an int32 tensor; Keras's conversion takes long over NumPy arrays."""
    if keras.backend.backend() == "tensorflow" and isinstance(values, np.ndarray):
        import tensorflow as tf

        return tf.constant(values, tf.int32)
    return ops.convert_to_tensor(values, dtype="int32")


def _jitted_without_side_effects(function: Callable[..., Result]) -> Callable[..., Result]:
    import jax

    def pure(*arguments: Argument) -> Result:
        # Reading variables inside a trace is allowed; a stateless scope forbids writing them.
        with keras.StatelessScope():
            return function(*arguments)

    jitted: Callable[..., Result] = jax.jit(pure)
    return jitted


def gradient_is_recorded() -> bool:
    """Whether this call may be differentiated.

    On TensorFlow: a `tf.GradientTape` is recording it, which there is no public way to ask. JAX
    and PyTorch do not say.
    """
    if keras.backend.backend() != "tensorflow":
        return True
    from tensorflow.python.eager import record

    return bool(record.could_possibly_record())


def not_recorded() -> AbstractContextManager[None]:
    """In here no `tf.GradientTape` records, for what has its gradient by other means."""
    from tensorflow.python.eager import record

    nothing: AbstractContextManager[None] = record.stop_recording()
    return nothing
