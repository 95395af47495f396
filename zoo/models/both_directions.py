"""Both directions over a text: the layers of every bidirectional model, below its output.

`mixing="top"` keeps the directions apart up to the top; `mixing="layers"` lets each layer read both
directions of the one below [20]-[21].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from keras import ops

from zoo import layers
from zoo.errors import ZooError
from zoo.types import Tensor

MIXINGS = ("top", "layers")


class DirectionSettings(Protocol):
    """What the settings of a bidirectional model say of its layers."""

    @property
    def cell(self) -> str: ...

    @property
    def units(self) -> int: ...

    @property
    def num_layers(self) -> int: ...

    @property
    def mixing(self) -> str: ...

    @property
    def dropout(self) -> float: ...

    @property
    def cell_options(self) -> Mapping[str, Any]: ...


class BothDirections:
    """Mixin of Keras models: a forward and a backward layer a level, and how they are read."""

    def make_directions(self, settings: DirectionSettings) -> None:
        """Set the layers; a constructor calls it.

        Raises:
            ZooError: an unknown `mixing`.
        """
        if settings.mixing not in MIXINGS:
            raise ZooError(f"mixing={settings.mixing!r}: use 'top' or 'layers'")
        levels = range(settings.num_layers)
        self.forward_layers = [_direction(settings, f"forward_{i}", False) for i in levels]
        self.backward_layers = [_direction(settings, f"backward_{i}", True) for i in levels]
        self.dropouts = [
            layers.LockedDropout(settings.dropout, name=f"dropout_{i}") for i in levels
        ]

    def mixed(self, x: Tensor, mask: Tensor | None, training: bool) -> Tensor:
        """[20]-[21]: [→h_t; ←h_t], each layer over both of the one below [batch, time, 2 units]."""
        for i, dropout in enumerate(self.dropouts):
            past, future = self._both(i, x, x, mask, training)
            x = dropout(ops.concatenate([past, future], axis=-1), training=training)
        return x

    def apart(self, x: Tensor, mask: Tensor | None, training: bool) -> tuple[Tensor, Tensor]:
        """[17]-[18]: →h_t and ←h_t [batch, time, units], each layer over its own direction."""
        past = future = x
        for i, dropout in enumerate(self.dropouts):
            past, future = self._both(i, past, future, mask, training)
            past = dropout(past, training=training)
            future = dropout(future, training=training)
        return past, future

    def _both(
        self, i: int, past: Tensor, future: Tensor, mask: Tensor | None, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Layer i: →h over `past`, ←h over `future`, both in the order of the words."""
        forward = self.forward_layers[i](past, mask=mask, training=training)
        backward = self.backward_layers[i](future, mask=mask, training=training)
        return forward, ops.flip(backward, axis=1)


def _direction(settings: DirectionSettings, name: str, go_backwards: bool) -> layers.Recurrent:
    return layers.make_recurrent(
        settings.cell,
        settings.units,
        return_sequences=True,
        go_backwards=go_backwards,
        name=name,
        **settings.cell_options,
    )
