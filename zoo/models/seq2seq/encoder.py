"""The translation model's encoder: word vectors and a stack of recurrent layers.

h_t = φ(h_{t-1}, x_t) = f(W^(hh) h_{t-1} + W^(hx) x_t)                                   [23]
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo import layers
from zoo.models.keras_model import word_vectors
from zoo.models.seq2seq.settings import Seq2SeqSettings
from zoo.types import Tensor


class Encoder(keras.layers.Layer):
    """Word vectors and a stack of recurrent layers, in one direction or both.

    Args:
        vocabulary_size: source words.
        settings: the model's settings.
    """

    def __init__(self, vocabulary_size: int, settings: Seq2SeqSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.both = settings.bidirectional_encoder
        width = settings.embedding_dim
        self.embedding = word_vectors(
            vocabulary_size, width, settings.word_dropout, settings.word_scale
        )
        self.embedding.build()
        self.recurrent_layers = []
        for i in range(settings.num_layers):
            layer = self._recurrent_layer(f"recurrent_{i}", settings)
            layer.build((None, None, width))
            self.recurrent_layers.append(layer)
            width = self.forward_layer(i).output_size * (2 if self.both else 1)
        self.output_size = width
        self.residual = settings.residual
        self.first_bridged = settings.num_layers - settings.decoder_layers
        self.dropouts = [
            layers.LockedDropout(settings.dropout, name=f"dropout_{i}")
            for i in range(settings.num_layers + 1)
        ]
        self.bridges = self._make_bridges() if self.both else []
        self.built = True

    def _recurrent_layer(self, name: str, settings: Seq2SeqSettings) -> Any:
        layer = layers.make_recurrent(
            settings.cell,
            settings.units,
            return_sequences=True,
            return_state=True,
            name=name,
            **settings.cell_options,
        )
        return layers.Bidirectional(layer, name=name) if self.both else layer

    def _make_bridges(self) -> list[Any]:
        """One a state tensor: both directions' last states to the decoder's first."""
        bridges = []
        for i in range(self.first_bridged, len(self.recurrent_layers)):
            forward = self.forward_layer(i)
            for name, size in zip(forward.state_names, forward.state_size, strict=True):
                bridge = keras.layers.Dense(size, name=f"bridge_{i}_{name}")
                bridge.build((None, 2 * size))
                bridges.append(bridge)
        return bridges

    def forward_layer(self, i: int) -> layers.Recurrent:
        """The recurrent layer that reads from left to right."""
        layer = self.recurrent_layers[i]
        return layer.forward_layer if self.both else layer

    def call(
        self, ids: Tensor, mask: Tensor, training: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Read the source.

        Args:
            ids: [batch, source] int32, right-padded.
            mask: [batch, source] bool, False at padding.

        Returns:
            Top outputs [batch, source, width]; c = h_T [batch, width]; and the decoder's first
            states, one of its layers after another, [batch, size] each.
        """
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
            states += last if i >= self.first_bridged else []
        if self.both:
            states = [bridge(s) for bridge, s in zip(self.bridges, states, strict=True)]
        return self.dropouts[-1](x, training=training), context, states
