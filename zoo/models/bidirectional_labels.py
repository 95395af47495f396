"""Bidirectional networks that give labels: one for each word, or one for a whole text.

    →h_t = f(→W x_t + →V →h_{t-1} + →b)                                                     [17]
    ←h_t = f(←W x_t + ←V ←h_{t+1} + ←b)                                                     [18]
    ŷ_t  = g(U [→h_t; ←h_t] + c)                                                            [19]

[19] as it stands: ŷ_t, the final classification result, sees x_t and all that is on both sides of
it. g is the softmax over the labels. Deep, each layer reads both directions of the layer below
(`mixing="layers"`), or its own alone (`mixing="top"`):

    →h_t^(i) = f(→W^(i) h_t^(i-1) + →V^(i) →h_{t-1}^(i) + →b^(i))                           [20]
    ←h_t^(i) = f(←W^(i) h_t^(i-1) + ←V^(i) ←h_{t+1}^(i) + ←b^(i))                           [21]
    ŷ_t      = g(U [→h_t^(L); ←h_t^(L)] + c)                                                [22]

A whole text has one label, from what both directions have read of it:

    ŷ = g(U [→h_T; ←h_1] + c)                      `pooling="ends"`: each has read everything
    ŷ = g(U (1/T) Σ_t [→h_t; ←h_t] + c)            `pooling="mean"`
    ŷ = g(U max_t [→h_t; ←h_t] + c)                `pooling="max"`, entry by entry

x_1 ... x_T are `<bos>` w_1 ... w_n `<eos>`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import layers
from zoo.backend import as_ids
from zoo.errors import ZooError
from zoo.layers.dropout import word_vectors
from zoo.models.base import model_family
from zoo.models.both_directions import BothDirections
from zoo.models.compiled import compiled_method
from zoo.models.gates import Inspected
from zoo.models.keras_model import positive
from zoo.models.labelling import Tagger, TextClassifier, checked_labels, numbers_of
from zoo.models.text_batches import Batch, Example
from zoo.text import BOS, EOS, PAD, Tokenizer
from zoo.text.padding import pad
from zoo.types import Tensor

POOLINGS = ("ends", "mean", "max")
LOWEST = -1e9  # below any hidden state, and finite


@dataclass(frozen=True)
class TaggerSettings:
    """The constructor's arguments, checked; see `BidirectionalTagger`."""

    labels: tuple[str, ...]
    cell: str
    units: int
    num_layers: int
    embedding_dim: int
    mixing: str
    dropout: float
    input_dropout: float
    embedding_dropout: float
    word_scale: float | None
    cell_options: dict[str, Any]


@dataclass(frozen=True)
class ClassifierSettings(TaggerSettings):
    """The constructor's arguments, checked; see `BidirectionalClassifier`."""

    pooling: str


class _LabelNetwork(BothDirections, Inspected):
    """Word vectors, both directions, a softmax over labels."""

    settings: TaggerSettings

    def __init__(self, tokenizer: Tokenizer, settings: TaggerSettings, **kwargs: Any) -> None:
        super().__init__(tokenizer, **kwargs)
        self.settings = settings
        positive("units", settings.units)
        positive("num_layers", settings.num_layers)
        self.embedding = word_vectors(
            tokenizer.vocabulary_size,
            positive("embedding_dim", settings.embedding_dim),
            settings.embedding_dropout,
            settings.word_scale,
        )
        self.input_dropout = layers.LockedDropout(settings.input_dropout, name="input_dropout")
        self.make_directions(settings)
        self.output_projection = layers.VocabularyOutput(len(settings.labels), name="output")
        self(np.full((1, 3), BOS, dtype=np.int32))

    @property
    def labels(self) -> Sequence[str]:
        return self.settings.labels

    def call(self, ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """Logits of the labels; see `features`. Without a mask, `<pad>` is padding."""
        mask = ops.not_equal(ids, PAD) if mask is None else mask
        return self.output_projection(self.features(ids, mask, training))

    def default_metrics(self) -> list[Any]:
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def features(self, ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """What the labels are read from."""
        return self.word_features(ids, mask, training)

    def word_features(
        self, ids: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """[→h_t; ←h_t] at each position.

        Args:
            ids: [batch, time] int32, `<bos>` first, `<eos>` last, right-padded.
            mask: [batch, time] bool, False at padding.
            training: whether dropout is on.

        Returns:
            [batch, time, 2 * units].
        """
        x = self.embedding(ids, training=training)  # [batch, time, embedding_dim]
        x = self.input_dropout(x, training=training)
        if self.settings.mixing == "layers":
            return self.mixed(x, mask, training)
        return ops.concatenate(self.apart(x, mask, training), axis=-1)

    def read_text(self, text: str) -> list[str]:
        ids = [BOS, *self.tokenizer.encode(text), EOS]
        self.features(as_ids(np.array([ids], np.int32)))
        return [self.tokenizer.vocabulary[i] for i in ids]

    def label_log_probs_graph(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Log-probabilities [..., labels] of padded rows of `lengths` [batch] ids."""
        steps = ops.arange(ops.shape(ids)[1], dtype="int32")
        mask = steps[None, :] < ops.expand_dims(lengths, 1)
        return self.log_softmax(self.features(ids, mask))

    compiled_label_log_probs = compiled_method(label_log_probs_graph)

    def _log_probs(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        values = self.compiled_label_log_probs(as_ids(ids), as_ids(lengths))
        return ops.convert_to_numpy(values)


@model_family
@keras.saving.register_keras_serializable(package="zoo")
class BidirectionalTagger(_LabelNetwork, Tagger):
    """Labels each word from the word itself and all others of its text, [17]-[22].

    Args:
        tokenizer: gives the vocabulary.
        labels: the labels by number.
        cell: "rnn", "gru", "lstm" or "cifg".
        units: hidden units of each direction of each layer.
        num_layers: layers.
        embedding_dim: width of the word vectors.
        mixing: "layers" (directions meet at each layer, [20]-[22]) or "top" (at the output).
        dropout: between layers and before the output, one mask for all time steps.
        input_dropout: on the word vectors, likewise.
        embedding_dropout: whole words, for a whole text.
        word_scale: standard deviation of the word vectors at the start; None for Keras's ±0.05.
        cell_options: further arguments of the recurrent layers.

    Example:
        >>> import zoo
        >>> words = zoo.text.WordTokenizer.train(["the cat is small"])
        >>> model = zoo.models.BidirectionalTagger(words, labels=["DET", "NOUN"], units=4)
        >>> len(model.tag(["the cat"])[0])
        2
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        labels: Sequence[str],
        cell: str = "lstm",
        units: int = 256,
        num_layers: int = 1,
        embedding_dim: int = 256,
        mixing: str = "layers",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        word_scale: float | None = None,
        cell_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        settings = TaggerSettings(
            labels=checked_labels(labels),
            cell=cell,
            units=units,
            num_layers=num_layers,
            embedding_dim=embedding_dim,
            mixing=mixing,
            dropout=dropout,
            input_dropout=input_dropout,
            embedding_dropout=embedding_dropout,
            word_scale=word_scale,
            cell_options=dict(cell_options or {}),
        )
        super().__init__(tokenizer, settings, **kwargs)

    def example(self, text: str, target: Any = None) -> Example:
        """A text's ids with both ends, the labelled places, and the numbers of their labels.

        `target` is a list of labels, or a text of labels with spaces between.
        """
        names = target.split() if isinstance(target, str) else list(target or ())
        if target is None:
            return [BOS, *self.tokenizer.encode(text), EOS], [], []
        ids, places = self.labelled(text, names)
        return [BOS, *ids, EOS], [place + 1 for place in places], numbers_of(names, self.labels)

    def collate(self, examples: Sequence[Example], rng: np.random.Generator | None = None) -> Batch:
        """Whole texts, and the label of each word that has one."""
        ids, _ = pad([row for row, _, _ in examples])
        targets, weights = np.zeros_like(ids), np.zeros(ids.shape, np.float32)
        for i, (_, places, numbers) in enumerate(examples):
            targets[i, list(places)] = numbers
            weights[i, list(places)] = 1.0
        return ids, targets, weights

    def tag_log_probs(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        return self._log_probs(ids, lengths)


@model_family
@keras.saving.register_keras_serializable(package="zoo")
class BidirectionalClassifier(_LabelNetwork, TextClassifier):
    """Labels a whole text from what both directions have read of it.

    Args:
        tokenizer: gives the vocabulary.
        labels: the labels by number.
        cell: "rnn", "gru", "lstm" or "cifg".
        units: hidden units of each direction of each layer.
        num_layers: layers.
        embedding_dim: width of the word vectors.
        mixing: "layers" (directions meet at each layer, [20]-[22]) or "top" (at the output).
        pooling: "ends" (the state of each direction that has read everything), "mean" or "max".
        dropout: between layers and before the output, one mask for all time steps.
        input_dropout: on the word vectors, likewise.
        embedding_dropout: whole words, for a whole text.
        word_scale: standard deviation of the word vectors at the start; None for Keras's ±0.05.
        cell_options: further arguments of the recurrent layers.

    Example:
        >>> import zoo
        >>> words = zoo.text.WordTokenizer.train(["the cat is small"])
        >>> model = zoo.models.BidirectionalClassifier(words, labels=["bad", "good"], units=4)
        >>> len(model.classify(["the cat"])[0])
        2
    """

    settings: ClassifierSettings

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        labels: Sequence[str],
        cell: str = "lstm",
        units: int = 256,
        num_layers: int = 1,
        embedding_dim: int = 256,
        mixing: str = "layers",
        pooling: str = "ends",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        word_scale: float | None = None,
        cell_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if pooling not in POOLINGS:
            raise ZooError(f"pooling={pooling!r}: use {', '.join(map(repr, POOLINGS))}")
        settings = ClassifierSettings(
            labels=checked_labels(labels),
            cell=cell,
            units=units,
            num_layers=num_layers,
            embedding_dim=embedding_dim,
            mixing=mixing,
            dropout=dropout,
            input_dropout=input_dropout,
            embedding_dropout=embedding_dropout,
            word_scale=word_scale,
            cell_options=dict(cell_options or {}),
            pooling=pooling,
        )
        super().__init__(tokenizer, settings, **kwargs)

    def example(self, text: str, target: Any = None) -> Example:
        """A text's ids with both ends, and the number of its label."""
        row = [BOS, *self.tokenizer.encode(text), EOS]
        return row, [] if target is None else numbers_of([target], self.labels)

    def collate(self, examples: Sequence[Example], rng: np.random.Generator | None = None) -> Batch:
        """Whole texts, and the label of each."""
        ids, _ = pad([row for row, _ in examples])
        weights = np.array([len(numbers) for _, numbers in examples], np.float32)
        targets = np.array([sum(numbers) for _, numbers in examples], np.int32)
        return ids, targets, weights

    def features(self, ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """What is known of each whole text: [batch, 2 * units]; see `word_features`."""
        hidden = self.word_features(ids, mask, training)  # [batch, time, 2 * units]
        if mask is None:
            mask = ops.ones_like(ids, dtype="bool")
        counted = ops.expand_dims(ops.cast(mask, hidden.dtype), -1)  # [batch, time, 1]
        if self.settings.pooling == "mean":
            total = ops.sum(hidden * counted, axis=1)
            return total / ops.maximum(ops.sum(counted, axis=1), 1.0)
        if self.settings.pooling == "max":
            return ops.max(hidden + (1.0 - counted) * LOWEST, axis=1)
        return self._ends(hidden, ops.sum(ops.cast(mask, "int32"), axis=1))

    def _ends(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """[→h_T; ←h_1] of rows of `lengths` steps; [batch, 2 * units]."""
        last = ops.maximum(lengths - 1, 0)[:, None, None]
        past = ops.take_along_axis(hidden, last, axis=1)[:, 0, : self.settings.units]
        return ops.concatenate([past, hidden[:, 0, self.settings.units :]], axis=-1)

    def class_log_probs(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        return self._log_probs(ids, lengths)
