"""The arguments of a translation model, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo.errors import ZooError
from zoo.models.keras_model import positive
from zoo.text.carrying import carrier_of

ATTENTIONS = (None, "bahdanau")
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
