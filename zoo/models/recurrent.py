"""Recurrent language model: every earlier word, through a hidden state, predicts the next.

    h_t = f(h_{t-1}, x_t)              the cell: RNN [5], GRU (section 3), LSTM (section 4), CIFG
    ŷ_t = softmax(W^(S) h_t)                                                                  [6]

    J   = -(1/T) Σ_t log ŷ_{t, w_{t+1}}                                                    [7][8]

Layers may be stacked (a deep recurrence, extension III of section 2.4). With `residual` each layer
from the second on adds to what it reads (He et al. 2016), so that depth does not weaken the signal:

    x_t^(1) = h_t^(1),   x_t^(i) = x_t^(i-1) + h_t^(i),   h_t^(i) = f(h_{t-1}^(i), x_t^(i-1))

where the top's x_t^(L) takes the place of h_t in [6]. The output matrix may be the embedding's
transpose (`tied`), and dropout keeps one mask for a whole sequence (locked).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo import layers
from zoo.backend import as_ids
from zoo.errors import ZooError
from zoo.layers.dropout import word_vectors
from zoo.models.base import model_family
from zoo.models.gates import Inspected
from zoo.models.keras_model import positive
from zoo.models.neural import NeuralLanguageModel
from zoo.text import BOS, Tokenizer
from zoo.types import ModelState, Tensor


@dataclass(frozen=True)
class RecurrentSettings:
    """The constructor's arguments, checked; see `RecurrentLanguageModel`."""

    cell: str
    units: int
    num_layers: int
    embedding_dim: int
    tied: bool
    output_bias: bool
    dropout: float
    input_dropout: float
    hidden_dropout: float
    embedding_dropout: float
    weight_drop: float
    word_scale: float | None
    residual: bool
    mixtures: int
    cell_options: dict[str, Any]


@model_family
@keras.saving.register_keras_serializable(package="zoo")
class RecurrentLanguageModel(Inspected, NeuralLanguageModel):
    """Embedding, a stack of recurrent layers, softmax.

    Args:
        tokenizer: gives the vocabulary.
        cell: "rnn", "gru", "lstm" or "cifg".
        units: hidden units of each layer.
        num_layers: recurrent layers.
        embedding_dim: width of the word vectors x_t ∈ R^d.
        tied: whether W^(S) is the embedding's transpose; the last layer then has
            `embedding_dim` units (or, a cell with a projection, projects to it).
        output_bias: whether a bias is added to W^(S) h_t; [6] has none.
        dropout: on the last layer's output, one mask for all time steps.
        input_dropout: on word vectors, likewise.
        hidden_dropout: between recurrent layers, likewise.
        embedding_dropout: whole words, for a whole sequence.
        weight_drop: on the recurrent matrices.
        word_scale: standard deviation of the word vectors at the start; None for Keras's ±0.05.
        residual: whether each layer from the second on adds its h to what it reads.
        mixtures: softmaxes that are mixed at the output (`zoo.layers.MixtureOfSoftmaxes`); 1: one.
        cell_options: further arguments of the layer, such as `activation`, `use_bias`,
            `recurrent_initializer` or `learn_initial_state`.

    Raises:
        ZooError: `residual` with layers of more than one width.

    Example:
        >>> import zoo
        >>> words = zoo.text.WordTokenizer.train(["the cat is small"])
        >>> lm = zoo.models.RecurrentLanguageModel(words, units=8, embedding_dim=8, num_layers=1)
        >>> lm.score(["the cat"])[0].tokens
        3
    """

    settings: RecurrentSettings

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        cell: str = "lstm",
        units: int = 256,
        num_layers: int = 2,
        embedding_dim: int = 256,
        tied: bool = False,
        output_bias: bool = True,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        weight_drop: float = 0.0,
        word_scale: float | None = None,
        residual: bool = False,
        mixtures: int = 1,
        cell_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(tokenizer, **kwargs)
        self.settings = RecurrentSettings(
            cell=cell,
            units=positive("units", units),
            num_layers=positive("num_layers", num_layers),
            embedding_dim=positive("embedding_dim", embedding_dim),
            tied=tied,
            output_bias=output_bias,
            dropout=dropout,
            input_dropout=input_dropout,
            hidden_dropout=hidden_dropout,
            embedding_dropout=embedding_dropout,
            weight_drop=weight_drop,
            word_scale=word_scale,
            residual=residual,
            mixtures=positive("mixtures", mixtures),
            cell_options=dict(cell_options or {}),
        )
        refuse_unequal_widths(self.settings)
        self.embedding = word_vectors(
            tokenizer.vocabulary_size, embedding_dim, embedding_dropout, word_scale
        )
        self.input_dropout = layers.LockedDropout(input_dropout, name="input_dropout")
        self.recurrent_layers = [self._recurrent_layer(i) for i in range(num_layers)]
        self.hidden_dropouts = [
            layers.LockedDropout(hidden_dropout, name=f"hidden_dropout_{i}")
            for i in range(num_layers - 1)
        ]
        self.output_dropout = layers.LockedDropout(dropout, name="output_dropout")
        if mixtures > 1:
            width = embedding_dim if tied else units
            self.mixture = layers.MixtureOfSoftmaxes(mixtures, width, name="mixture")
        self.output_projection = layers.VocabularyOutput(
            tokenizer.vocabulary_size,
            tied_to=self.embedding if tied else None,
            use_bias=output_bias,
            name="output",
        )
        self.build_weights()

    def _recurrent_layer(self, index: int) -> Any:
        settings = self.settings
        tied_here = settings.tied and index == settings.num_layers - 1
        return layers.make_recurrent(
            settings.cell,
            settings.units,
            output_size=settings.embedding_dim if tied_here else None,
            return_sequences=True,
            return_state=True,
            weight_drop=settings.weight_drop,
            name=f"recurrent_{index}",
            **settings.cell_options,
        )

    def features(
        self,
        ids: Tensor,
        state: ModelState | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, ModelState]:
        x = self.embedding(ids, training=training)  # [batch, time, embedding_dim]
        x = self.input_dropout(x, training=training)
        new: ModelState = {}
        for i, layer in enumerate(self.recurrent_layers):
            read = self.hidden_dropouts[i - 1](x, training=training) if i else x
            names = [f"layer_{i}_{name}" for name in layer.state_names]
            initial = None if state is None else [state[name] for name in names]
            h, *final = layer(read, initial_state=initial, mask=mask, training=training)
            x = x + h if i and self.settings.residual else h
            new.update(zip(names, final, strict=True))
        return self.output_dropout(x, training=training), new

    def read_text(self, text: str) -> list[str]:
        ids = [BOS, *self.tokenizer.encode(text)]
        self.features(as_ids(np.array([ids], np.int32)))
        return [self.tokenizer.vocabulary[i] for i in ids]

    def hidden_step_graph(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        x = self.embedding(token_ids)  # [batch, embedding_dim]
        new: ModelState = {}
        for i, layer in enumerate(self.recurrent_layers):
            names = [f"layer_{i}_{name}" for name in layer.state_names]
            h, final = layer.step(x, [state[name] for name in names])
            x = x + h if i and self.settings.residual else h
            new.update(zip(names, final, strict=True))
        return x, new

    def initial_state(self, batch_size: int | Tensor) -> ModelState:
        return {
            f"layer_{i}_{name}": value
            for i, layer in enumerate(self.recurrent_layers)
            for name, value in zip(
                layer.state_names, layer.get_initial_state(batch_size), strict=True
            )
        }


def refuse_unequal_widths(settings: RecurrentSettings) -> None:
    """Refuse residual connections where a layer cannot be added to the one below."""
    top = settings.embedding_dim if settings.tied else settings.units
    if settings.residual and settings.num_layers > 1 and top != settings.units:
        raise ZooError(
            f"residual=True adds layers, but the top one has {top} units and the others "
            f"{settings.units}: with tied=True give units={settings.embedding_dim}"
        )
