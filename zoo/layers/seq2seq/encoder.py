"""The translation model's encoder: word vectors and a stack of recurrent layers.

h_t = φ(h_{t-1}, x_t) = f(W^(hh) h_{t-1} + W^(hx) x_t)                                   [23]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypedDict

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.bidirectional import Bidirectional
from zoo.layers.dropout import LockedDropout, word_vectors
from zoo.layers.named import make_recurrent
from zoo.layers.recurrent import Recurrent
from zoo.text.vocabulary import PAD
from zoo.types import Tensor


class Encoded(TypedDict):
    """What an encoder knows of its sources.

    Attributes:
        outputs: h_j of the top layer, [batch, source, width].
        context: c = h_T, [batch, width].
        states: the decoder's first states, layer by layer, [batch, size] each.
        mask: where the source is no padding, [batch, source] bool.
    """

    outputs: Tensor
    context: Tensor
    states: list[Tensor]
    mask: Tensor


@keras.saving.register_keras_serializable(package="zoo")
class Encoder(keras.layers.Layer):
    """Word vectors and a stack of recurrent layers, in one direction or both [23].

    Args:
        vocabulary_size: source words.
        units: hidden units of each layer and direction.
        cell: "rnn", "gru", "lstm" or "cifg".
        num_layers: recurrent layers.
        embedding_dim: width of the word vectors.
        bidirectional: read from both sides; the decoder's first states are then made of both.
        dropout: on word vectors, between layers and at the top, one mask for all steps.
        word_dropout: whole words, for a whole sentence.
        word_scale: standard deviation of the word vectors at the start; None for Keras's ±0.05.
        cell_options: further arguments of the recurrent layers.
        residual: whether each layer from the second on adds its h to what it reads.
        decoder_layers: layers of the decoder, which start from the last so many of these; None
            for as many as there are.
        **kwargs: as in `keras.layers.Layer`.

    Call arguments: `ids` `[batch, source]` int, right-padded; `mask` `[batch, source]` bool, False
    at padding, or None: where the id is not 0; `training`. Returns `outputs`, `context`, `states`
    and `mask` by name (`Encoded`), as `zoo.layers.Decoder` takes them.

    Example:
        >>> import numpy as np
        >>> encoder = Encoder(20, 4, embedding_dim=3, bidirectional=True)
        >>> encoder(np.array([[5, 6, 3]]))["outputs"].shape
        TensorShape([1, 3, 8])
    """

    count: ClassVar[Iterator[int]] = itertools.count()  # so that a copy is told from what was there

    def __init__(
        self,
        vocabulary_size: int,
        units: int,
        *,
        cell: str = "gru",
        num_layers: int = 1,
        embedding_dim: int = 256,
        bidirectional: bool = False,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        word_scale: float | None = None,
        cell_options: Mapping[str, Any] | None = None,
        residual: bool = False,
        decoder_layers: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.number = next(self.count)
        if num_layers < 1:
            raise ZooError(f"num_layers={num_layers!r}: give a whole number from 1")
        if decoder_layers is not None and not 1 <= decoder_layers <= num_layers:
            raise ZooError(f"decoder_layers={decoder_layers!r}: from 1 to num_layers={num_layers}")
        self.arguments: dict[str, Any] = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "cell": cell,
            "num_layers": num_layers,
            "embedding_dim": embedding_dim,
            "bidirectional": bidirectional,
            "dropout": dropout,
            "word_dropout": word_dropout,
            "word_scale": word_scale,
            "cell_options": dict(cell_options or {}),
            "residual": residual,
            "decoder_layers": decoder_layers,
        }
        self.residual = residual
        self.decoder_layers = num_layers if decoder_layers is None else decoder_layers
        self.both, self.num_layers, self.embedding_dim = bidirectional, num_layers, embedding_dim
        self.embedding = word_vectors(vocabulary_size, embedding_dim, word_dropout, word_scale)
        self.embedding.build()
        width = embedding_dim
        self.recurrent_layers = []
        for i in range(num_layers):
            layer = self._recurrent_layer(f"recurrent_{i}")
            layer.build((None, None, width))
            self.recurrent_layers.append(layer)
            width = self.forward_layer(i).output_size * (2 if self.both else 1)
        self.output_size = width
        self.dropouts = [LockedDropout(dropout, name=f"dropout_{i}") for i in range(num_layers + 1)]
        self.bridges = self._make_bridges() if self.both else []
        self.built = True

    def _recurrent_layer(self, name: str) -> Any:
        layer = make_recurrent(
            self.arguments["cell"],
            self.arguments["units"],
            return_sequences=True,
            return_state=True,
            name=name,
            **self.arguments["cell_options"],
        )
        return Bidirectional(layer, name=name) if self.both else layer

    def _make_bridges(self) -> list[Any]:
        """One a state tensor: both directions' last states to the decoder's first."""
        bridges = []
        for i in range(self.num_layers - self.decoder_layers, self.num_layers):
            forward = self.forward_layer(i)
            for name, size in zip(forward.state_names, forward.state_size, strict=True):
                bridge = keras.layers.Dense(size, name=f"bridge_{i}_{name}")
                bridge.build((None, 2 * size))
                bridges.append(bridge)
        return bridges

    def forward_layer(self, i: int) -> Recurrent:
        """The recurrent layer that reads from left to right."""
        layer = self.recurrent_layers[i]
        return layer.forward_layer if self.both else layer

    def recurrence_only(self) -> Recurrent:
        """Another recurrent layer like those, with U and b but without W, built."""
        return recurrence_only(
            self.arguments["cell"],
            self.arguments["units"],
            name="recurrence",
            **self.arguments["cell_options"],
        )

    def call(self, ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Encoded:
        mask = ops.not_equal(ids, PAD) if mask is None else mask
        x = self.embedding(ids, training=training)
        states: list[Tensor] = []
        for i, layer in enumerate(self.recurrent_layers):
            read = self.dropouts[i](x, training=training)
            h, *last = layer(read, mask=mask, training=training)
            x = x + h if i and self.residual else h
            if self.both:
                half = len(last) // 2
                ends = zip(last[:half], last[half:], strict=True)  # left to right, right to left
                last = [ops.concatenate(pair, axis=-1) for pair in ends]
            context = last[0]
            states += last if i >= self.num_layers - self.decoder_layers else []
        if self.both:
            states = [bridge(s) for bridge, s in zip(self.bridges, states, strict=True)]
        outputs = self.dropouts[-1](x, training=training)
        return {"outputs": outputs, "context": context, "states": states, "mask": mask}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.arguments}


class _RecurrenceOnly:
    """Makes a recurrent layer leave out W: its inputs are W x + b already."""

    def build_input_kernel(self, features: int) -> None:
        return None


def recurrence_only(cell: str, units: int, **options: Any) -> Recurrent:
    """A recurrent layer with U and b but no W, built."""
    cls = type(make_recurrent(cell, units, **options))
    without_kernel = type(f"{cls.__name__}Recurrence", (_RecurrenceOnly, cls), {})
    layer: Recurrent = without_kernel(units, **options)
    layer.build((None, None, 1))
    return layer
