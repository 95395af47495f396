"""Methods of tensors that are traced once a model and called as graphs from then on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import keras

from zoo.backend import compiled

MOST_GRAPHS = 64  # that hold settings, such as a sampler, for each model; those of methods all stay


class compiled_method:  # noqa: N801 - used like `property`
    """A method of tensors as a graph, traced once a model: `compiled_step = compiled_method(step)`.

    A subclass that overrides the method has its own compiled. The graphs are the model's, so all
    of them stay however many samplers come and go.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.name = method.__name__

    def __get__(self, model: CompiledMethods, _: type | None = None) -> Callable[..., Any]:
        return model.compiled_once(self.name, getattr(model, self.name))


class CompiledMethods:
    """A model that keeps its graphs; its constructor sets `self._compiled = {}`."""

    _compiled: dict[Hashable, Any]

    def compiled_once(self, key: Hashable, function: Callable[..., Any]) -> Any:
        """A function of tensors as a graph that is traced once for this key: a method, or more."""
        graph = self._compiled.get(key)
        if graph is None:
            varied = [k for k in list(self._compiled) if not isinstance(k, str)]
            if len(varied) >= MOST_GRAPHS:
                self._compiled.pop(varied[0], None)
            graph = self._compiled[key] = compiled(function, self.variables_read)
        return graph

    def variables_read(self) -> list[keras.Variable]:
        """Those that the graphs read; their values may change from call to call."""
        return []
