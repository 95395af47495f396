"""What each recurrent layer of a model is given and gives in one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from zoo.layers.recurrent import Recurrent
from zoo.types import Tensor


@dataclass(frozen=True)
class Recorded:
    """One call of a recurrent layer.

    Attributes:
        outputs: h_t of every step, or the last h.
        state: the initial state that the call was given, if any.
    """

    layer: Recurrent
    inputs: Tensor
    outputs: Tensor
    state: Sequence[Tensor] | None = None


@contextmanager
def _recording(layer: Recurrent, calls: list[Recorded]) -> Iterator[None]:
    """Inside the block this one layer's calls are added to `calls`; other layers are untouched."""

    def call(sequences: Tensor, *args: Any, **kwargs: Any) -> Any:
        result = type(layer).call(layer, sequences, *args, **kwargs)
        initial_state = args[0] if args else kwargs.get("initial_state")
        outputs = result[0] if isinstance(result, (tuple, list)) else result
        calls.append(Recorded(layer, sequences, outputs, initial_state))
        return result

    layer.call = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        del layer.call


def recorded_calls(model: keras.Layer, forward: Callable[[], Any]) -> tuple[list[Recorded], Any]:
    """The first call of each recurrent layer of `model` during `forward()`, and what it returned.

    Args:
        model: the model whose layers are looked at, or a layer that holds them.
        forward: runs the model outside any compiled function, such as `lambda: model(batch)`.
    """
    calls: list[Recorded] = []
    with ExitStack() as recordings:
        for layer in recurrent_layers(model):
            recordings.enter_context(_recording(layer, calls))
        result = forward()
    earliest = {id(call.layer): call for call in reversed(calls)}
    return [call for call in calls if earliest[id(call.layer)] is call], result


def recurrent_layers(model: keras.Layer) -> list[Recurrent]:
    """The recurrent layers inside a model, however deep."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, Recurrent)]
