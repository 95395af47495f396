"""cuDNN's LSTM and GRU by way of Keras's own backends, where Keras's layers would take it.

On TensorFlow with a GPU, `use_cudnn="auto"` takes it for a call whose gradient is recorded, if the
arguments are those that cuDNN has: tanh and sigmoid, a bias, not unrolled, no dropout inside the
loop, GRU with `reset_after`. A mask must be right-padded then, and the outputs after a sequence's
end are 0, as in Keras. A graph that is traced without a gradient, so every exported one, never
holds it. On JAX only `use_cudnn=True` takes it, and not with a mask: which of it and the loop here
is faster for which shape has not been measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras.src import backend as keras_backend  # what keras.layers calls; no public name reaches it

from zoo.backend import gradient_is_recorded
from zoo.errors import ZooError
from zoo.layers.recurrence.cell import InputKernel, Weights
from zoo.types import State, Tensor

if TYPE_CHECKING:
    from zoo.layers.recurrent import Recurrent

CHOICES = ("auto", True, False)


def checked_choice(use_cudnn: bool | str) -> bool | str:
    """The value of `use_cudnn`, if it is one."""
    if not any(use_cudnn is choice or use_cudnn == choice for choice in CHOICES):
        raise ZooError(f"use_cudnn={use_cudnn!r}: give 'auto', True or False")
    return use_cudnn


def run(
    layer: Recurrent,
    weights: Weights,
    input_kernel: InputKernel | None,
    steps: Tensor,
    state: State,
    mask: Tensor | None,
) -> tuple[Tensor, State] | None:
    """h_t of every step and the last states by cuDNN; None where the loop here is to do it.

    Args:
        layer: its `cudnn_function` and `use_cudnn` are looked at.
        weights, input_kernel, steps, state, mask: as `whole_sequence` takes them.

    Raises:
        ZooError: `use_cudnn=True`, and cuDNN cannot do it.
    """
    wanted = layer.use_cudnn
    possible = wanted and _is_possible(layer, weights, input_kernel, mask)
    if wanted is True and not possible:
        raise ZooError(
            f"{layer.name}: use_cudnn=True, but cuDNN cannot run this layer with these arguments "
            "on this machine; give use_cudnn='auto'"
        )
    on_jax = keras.backend.backend() == "jax"
    if not possible or input_kernel is None or (on_jax and wanted != True):  # noqa: E712 - or "auto"
        return None
    if not gradient_is_recorded():
        return None
    return _called(layer, weights, input_kernel, steps, state, mask)


def _is_possible(
    layer: Recurrent, weights: Weights, input_kernel: InputKernel | None, mask: Tensor | None
) -> bool:
    """Whether Keras's layer of the same arguments would come to cuDNN on this machine."""
    name = layer.cudnn_function
    if name is None or not hasattr(keras_backend, "cudnn_ok") or layer.projection() is not None:
        return False
    if input_kernel is None or weights.dropout_masks is not None:
        return False
    if keras.backend.backend() == "jax" and (mask is not None or name == "gru"):
        return False
    more = {"reset_after": layer.reset_after} if name == "gru" else {}
    functions = (layer.activation, layer.recurrent_activation)
    return bool(keras_backend.cudnn_ok(*functions, layer.unroll, use_bias=layer.use_bias, **more))


def _called(
    layer: Recurrent,
    weights: Weights,
    input_kernel: InputKernel,
    steps: Tensor,
    state: State,
    mask: Tensor | None,
) -> tuple[Tensor, State] | None:
    function: Any = getattr(keras_backend, str(layer.cudnn_function))
    try:
        _, outputs, final = function(
            steps,
            *state,
            None if mask is None else mask[..., 0],
            kernel=input_kernel.kernel,
            recurrent_kernel=weights.kernel,
            bias=layer._cast(layer.bias),
            activation=layer.activation,
            recurrent_activation=layer.recurrent_activation,
            return_sequences=True,
        )
    except NotImplementedError:  # the kernel is not there after all
        return None
    return outputs, tuple(final)
