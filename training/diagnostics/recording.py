"""What each recurrent layer of a model is given and gives in one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from zoo.layers import Recurrent


@dataclass(frozen=True)
class Recorded:
    """One call of a recurrent layer; `outputs` is h_t of every step, or the last h."""

    layer: Recurrent
    inputs: Any
    outputs: Any


@contextmanager
def _recording_calls(calls: list[Recorded]) -> Iterator[None]:
    original = Recurrent.call

    def call(self: Recurrent, sequences: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, sequences, *args, **kwargs)
        outputs = result[0] if isinstance(result, (tuple, list)) else result
        calls.append(Recorded(self, sequences, outputs))
        return result

    Recurrent.call = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        Recurrent.call = original  # type: ignore[method-assign]


def recorded_calls(forward: Callable[[], Any]) -> tuple[list[Recorded], Any]:
    """The first call of each recurrent layer during `forward()`, and what that returned."""
    calls: list[Recorded] = []
    with _recording_calls(calls):
        result = forward()
    first = {id(call.layer): call for call in reversed(calls)}
    return [call for call in calls if first[id(call.layer)] is call], result
