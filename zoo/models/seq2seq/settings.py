"""The arguments of a translation model, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo.errors import ZooError
from zoo.layers.seq2seq.decoder import ATTENTIONS, Decoder
from zoo.layers.seq2seq.encoder import Encoder
from zoo.models.keras_model import positive
from zoo.text.carrying import carrier_of

COUNTS = (
    "units",
    "attention_units",
    "num_layers",
    "decoder_layers",
    "embedding_dim",
    "max_source_length",
    "max_target_length",
)


@dataclass(frozen=True)
class Seq2SeqSettings:
    """The constructor's arguments, or an error that names the wrong one; see `Seq2Seq`."""

    cell: str
    units: int
    num_layers: int
    embedding_dim: int
    separate_weights: bool
    feed_context: bool
    bidirectional_encoder: bool
    reverse_source: bool
    attention: str | None
    attention_units: int
    readout_units: int | None
    tied: bool
    dropout: float
    word_dropout: float
    word_scale: float | None
    max_source_length: int
    max_target_length: int
    length_alpha: float
    cell_options: dict[str, Any]
    residual: bool = False
    decoder_layers: int = 1
    carry_over: str | None = None
    split_sentences: bool = False

    def __post_init__(self) -> None:
        for name in COUNTS:
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        if self.attention not in ATTENTIONS:
            raise ZooError(f"attention={self.attention!r}: use 'bahdanau' or None")
        if self.decoder_layers > self.num_layers:
            raise ZooError(
                f"decoder_layers={self.decoder_layers}: at most num_layers={self.num_layers}, "
                "since each starts from a layer of the encoder"
            )
        if self.decoder_layers != self.num_layers and not self.separate_weights:
            raise ZooError(
                f"decoder_layers={self.decoder_layers} without separate_weights=True: the decoder "
                "has the encoder's layers"
            )
        if self.carry_over is not None:
            carrier_of(self.carry_over)
        if self.readout_units is not None:
            units = positive("readout_units", self.readout_units)
            object.__setattr__(self, "readout_units", units)
        if self.tied and not self.feed_context:
            raise ZooError("tied=True without feed_context=True: there are no target word vectors")


def encoder_of(settings: Seq2SeqSettings, vocabulary_size: int) -> Encoder:
    """The encoder of a model with these settings."""
    return Encoder(
        vocabulary_size,
        settings.units,
        cell=settings.cell,
        num_layers=settings.num_layers,
        embedding_dim=settings.embedding_dim,
        bidirectional=settings.bidirectional_encoder,
        dropout=settings.dropout,
        word_dropout=settings.word_dropout,
        word_scale=settings.word_scale,
        cell_options=settings.cell_options,
        residual=settings.residual,
        decoder_layers=settings.decoder_layers,
        name="encoder",
    )


def decoder_of(settings: Seq2SeqSettings, vocabulary_size: int, encoder: Encoder) -> Decoder:
    """The decoder of a model with these settings."""
    return Decoder(
        vocabulary_size,
        encoder,
        separate_weights=settings.separate_weights,
        feed_context=settings.feed_context,
        attention=settings.attention,
        attention_units=settings.attention_units,
        readout_units=settings.readout_units,
        dropout=settings.dropout,
        word_dropout=settings.word_dropout,
        word_scale=settings.word_scale,
        name="decoder",
    )
