"""Bengio's network: the n previous word vectors, side by side, predict the next word.

    x = [x_{t-n+1}; ...; x_t]                                   the window's word vectors
    ŷ = softmax(W^(2) tanh(W^(1) x + b^(1)) + W^(3) x + b^(3))                                [4]

W^(3), the direct connection from the window to the output, is optional. The state is the window
of word ids: left of a sentence stands `<bos>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from zoo import layers
from zoo.layers.dropout import word_vectors
from zoo.models.base import model_family
from zoo.models.keras_model import positive
from zoo.models.neural import NeuralLanguageModel
from zoo.text import BOS, Tokenizer
from zoo.types import ModelState, Tensor


@dataclass(frozen=True)
class NPLMSettings:
    """The constructor's arguments, checked; see `NeuralProbabilisticLanguageModel`."""

    window: int
    embedding_dim: int
    units: int
    direct: bool
    dropout: float
    input_dropout: float
    word_scale: float | None


@model_family
@keras.saving.register_keras_serializable(package="zoo")
class NeuralProbabilisticLanguageModel(NeuralLanguageModel):
    """Bengio, Ducharme, Vincent and Janvin's feed-forward language model.

    Args:
        tokenizer: gives the vocabulary.
        window: how many previous words are seen (an order of window + 1).
        embedding_dim: width of a word vector.
        units: width of the tanh layer.
        direct: whether W^(3) x is added, as in [4].
        dropout: on the tanh layer.
        input_dropout: on the window's word vectors.
        word_scale: standard deviation of the word vectors at the start; None for Keras's ±0.05.

    Example:
        >>> import zoo
        >>> words = zoo.text.WordTokenizer.train(["the cat is small"])
        >>> lm = zoo.models.NeuralProbabilisticLanguageModel(words, window=2, units=4)
        >>> len(lm.next_words(["the cat"], k=3)[0])
        3
    """

    settings: NPLMSettings

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        window: int = 4,
        embedding_dim: int = 100,
        units: int = 200,
        direct: bool = True,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        word_scale: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(tokenizer, **kwargs)
        self.settings = NPLMSettings(
            window=positive("window", window),
            embedding_dim=positive("embedding_dim", embedding_dim),
            units=positive("units", units),
            direct=bool(direct),
            dropout=dropout,
            input_dropout=input_dropout,
            word_scale=word_scale,
        )
        self.embedding = word_vectors(tokenizer.vocabulary_size, embedding_dim, scale=word_scale)
        self.input_dropout = keras.layers.Dropout(input_dropout, name="input_dropout")
        self.hidden_layer = keras.layers.Dense(units, activation="tanh", name="hidden")  # W1, b1
        self.hidden_dropout = keras.layers.Dropout(dropout, name="hidden_dropout")
        # [W2; W3] as one matrix over [tanh(...); x], with b3: one product instead of two.
        self.output_projection = layers.VocabularyOutput(tokenizer.vocabulary_size, name="output")
        self.build_weights()

    def features(
        self,
        ids: Tensor,
        state: ModelState | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, ModelState]:
        window = self.settings.window
        context = (self.initial_state(ops.shape(ids)[0]) if state is None else state)["context"]
        seen = ops.concatenate([context, ids], axis=1)  # [batch, window + time]
        vectors = self.embedding(seen)  # [batch, window + time, embedding_dim]
        time = ops.shape(ids)[1]
        x = ops.concatenate(
            [vectors[:, i + 1 : i + 1 + time] for i in range(window)], axis=-1
        )  # [batch, time, window * embedding_dim], oldest word first
        x = self.input_dropout(x, training=training)
        hidden = self.hidden_dropout(self.hidden_layer(x), training=training)
        if self.settings.direct:
            hidden = ops.concatenate([hidden, x], axis=-1)
        return hidden, {"context": self._last_window(seen, mask)}

    def _last_window(self, seen: Tensor, mask: Tensor) -> Tensor:
        """The last `window` ids of each row of [batch, window + time], not counting padding."""
        window = self.settings.window
        if mask is None:
            return seen[:, -window:]
        consumed = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # [batch, 1]
        places = consumed + ops.arange(window, dtype="int32")[None, :]
        return ops.take_along_axis(seen, places, axis=1)

    def initial_state(self, batch_size: int | Tensor) -> ModelState:
        shape = (batch_size, self.settings.window)
        return {"context": ops.full(shape, BOS, dtype="int32")}
