"""`layer.cell`, where Keras's recurrent layers keep their weights, and where files keep them.

A file of Keras's has the weights of a layer's cell at `LAYER/cell/vars`; so has one of ours, and
they go both ways. Files of earlier versions, with all of them at `LAYER/vars`, are read too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

import keras

from zoo.errors import ZooError
from zoo.types import Tensor

Store = MutableMapping[str, Any]


class Owner(Protocol):
    """What a layer tells its view."""

    variables_are_read: bool
    name: str

    @property
    def state_size(self) -> list[int]: ...

    def step(self, inputs: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]: ...

    def cell_variables(self) -> list[keras.Variable]: ...

    def get_config(self) -> dict[str, Any]: ...


class CellView(keras.Operation):
    """The layer under the names of a cell of Keras's: `units`, `kernel`, `bias`, ...

    Called, it is one step of the layer: `(inputs, states) -> (output, states)`.
    """

    _layer: Callable[[], Owner]  # behind a function, where Keras's saving does not look

    @classmethod
    def of(cls, layer: Owner) -> CellView:
        view = cls(name=f"{layer.name}_cell")
        view._layer = lambda: layer
        return view

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._layer(), name)

    @property
    def state_size(self) -> int | list[int]:
        sizes = self._layer().state_size
        return sizes[0] if len(sizes) == 1 else sizes

    def call(
        self, inputs: Tensor, states: Sequence[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        return self._layer().step(inputs, states)

    def get_config(self) -> dict[str, Any]:
        return self._layer().get_config()

    def save_own_variables(self, store: Store) -> None:
        for i, variable in enumerate(self._layer().cell_variables()):
            store[str(i)] = variable

    def load_own_variables(self, store: Store) -> None:
        layer = self._layer()
        if layer.variables_are_read and not store.keys():
            return
        assign(layer.name, layer.cell_variables(), store)


def assign(name: str, variables: Sequence[keras.Variable], store: Mapping[str, Any]) -> None:
    """Give variables their values from a file.

    Raises:
        ZooError: the file has another number of them.
    """
    if len(store.keys()) != len(variables):
        raise ZooError(
            f"layer {name!r} has {len(variables)} variables, the file {len(store.keys())}: "
            "build the layer first, with the arguments of the one that was saved"
        )
    for i, variable in enumerate(variables):
        variable.assign(store[str(i)])
