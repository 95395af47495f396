"""What depends on which Keras backend is in use: compiling, token ids, who differentiates."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeAlias, TypeVar

import keras
import numpy as np
from keras import ops

from zoo.types import Tensor

MOST_SHAPES = 256  # of a compiled function's calls that are remembered

Result = TypeVar("Result")
Argument: TypeAlias = Tensor | Mapping[str, Tensor]


def compiled(
    function: Callable[..., Result], variables: Callable[[], Sequence[keras.Variable]] = list
) -> Callable[..., Result]:
    """`function` as one graph call: tf.function on TensorFlow, jit on JAX, unchanged elsewhere.

    Shapes may vary from call to call; the TensorFlow graph is traced with unknown dimensions after
    the second shape, so it is not traced again and again. Arguments are tensors or mappings of
    tensors. `variables` tells those that the function reads, whose values may change between calls.
    """
    if keras.backend.backend() == "tensorflow":
        return _GraphCall(function)
    if keras.backend.backend() == "jax":
        return _jitted_without_side_effects(function, variables)
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


def few_shapes(ids: Tensor) -> Tensor:
    """Ids [rows, width] padded further with zeros where each shape is a program of its own.

    That is on JAX: there the rows become a power of two, and the width a multiple of 8 up to 32 and
    a power of two beyond.
    """
    if keras.backend.backend() != "jax" or not isinstance(ids, np.ndarray):
        return ids
    rows, width = ids.shape
    more = (_power_of_two(rows), -(-width // 8) * 8 if width <= 32 else _power_of_two(width))
    return np.pad(ids, [(0, more[0] - rows), (0, more[1] - width)])


def _power_of_two(count: int) -> int:
    """The next one, from 1 on."""
    return 1 << max(count - 1, 0).bit_length()


def _jitted_without_side_effects(
    function: Callable[..., Result], variables: Callable[[], Sequence[keras.Variable]]
) -> Callable[..., Result]:
    import jax

    def pure(values: list[Tensor], *arguments: Argument) -> Result:
        # A value that is read inside a trace would stay what it was then; a stateless scope takes
        # them as arguments, and forbids writing.
        with keras.StatelessScope(state_mapping=list(zip(variables(), values, strict=True))):
            return function(*arguments)

    jitted: Callable[..., Result] = jax.jit(pure)

    def call(*arguments: Argument) -> Result:
        return jitted([variable.value for variable in variables()], *arguments)

    return call


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
