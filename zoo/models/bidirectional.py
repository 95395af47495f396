"""Bidirectional models: a word from its past and its future, never from itself.

    →h_t = f(→W x_t + →V →h_{t-1} + →b)                                                     [17]
    ←h_t = f(←W x_t + ←V ←h_{t+1} + ←b)                                                     [18]
    ŷ_t  = g(U [→h; ←h] + c)                                                                [19]

Read as [19] stands, ŷ_t sees x_t itself, which is what a tagger wants; a model that predicts the
word at t must not. So it is combined in one of two ways:

`mixing="top"`     the directions are kept apart up to the top and shifted there:
                   ŷ_t = g(U [→h_{t-1}; ←h_{t+1}] + c). One pass predicts every word.
`mixing="layers"`  deep, as the notes have it: each layer reads both directions of the one below,

    →h_t^(i) = f(→W^(i) h_t^(i-1) + →V^(i) →h_{t-1}^(i) + →b^(i))                           [20]
    ←h_t^(i) = f(←W^(i) h_t^(i-1) + ←V^(i) ←h_{t+1}^(i) + ←b^(i))                           [21]
    ŷ_t      = g(U [→h_t^(L); ←h_t^(L)] + c)                                                [22]

                   where from the second layer on every h_t has seen every x. The word to be
                   predicted is therefore taken out of the input: a learnt vector stands there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import layers
from zoo.backend import as_ids
from zoo.models.base import model_family
from zoo.models.both_directions import BothDirections
from zoo.models.checks import batches, checked_texts
from zoo.models.cloze import BLANK, Cloze, hidden_words
from zoo.models.compiled import compiled_method
from zoo.models.gates import Inspected
from zoo.models.keras_model import positive
from zoo.models.keras_training import refuse_targets
from zoo.models.text_batches import Batch, Example, counted
from zoo.text import BOS, EOS, PAD, Tokenizer
from zoo.text.padding import pad
from zoo.types import Tensor


@dataclass(frozen=True)
class BidirectionalSettings:
    """The constructor's arguments, checked; see `BidirectionalLanguageModel`."""

    cell: str
    units: int
    num_layers: int
    embedding_dim: int
    mixing: str
    dropout: float
    input_dropout: float
    tied: bool
    cell_options: dict[str, Any]


@model_family
@keras.saving.register_keras_serializable(package="zoo")
class BidirectionalLanguageModel(Cloze, BothDirections, Inspected):
    """Fills a blank from the words on both sides.

    Args:
        tokenizer: gives the vocabulary.
        cell: "rnn", "gru", "lstm" or "cifg".
        units: hidden units of each direction of each layer.
        num_layers: layers.
        embedding_dim: width of the word vectors.
        mixing: "top" (directions meet at the output) or "layers" (at each layer, [20]-[22]).
        dropout: between layers and before the output, one mask for all time steps.
        input_dropout: on the word vectors, likewise.
        tied: whether the output matrix is the embedding's transpose, read by way of a matrix P:
            ŷ = g(Eᵀ P [→h; ←h] + c) (Press and Wolf 2017).
        cell_options: further arguments of the recurrent layers.

    Example:
        >>> import zoo
        >>> words = zoo.text.WordTokenizer.train(["the cat is small"])
        >>> model = zoo.models.BidirectionalLanguageModel(words, units=4, embedding_dim=4)
        >>> len(model.fill(["the ___ is small"], k=3)[0])
        3
    """

    settings: BidirectionalSettings

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        cell: str = "lstm",
        units: int = 256,
        num_layers: int = 1,
        embedding_dim: int = 256,
        mixing: str = "top",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        tied: bool = False,
        cell_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(tokenizer, **kwargs)
        self.settings = BidirectionalSettings(
            cell=cell,
            units=positive("units", units),
            num_layers=positive("num_layers", num_layers),
            embedding_dim=positive("embedding_dim", embedding_dim),
            mixing=mixing,
            dropout=dropout,
            input_dropout=input_dropout,
            tied=tied,
            cell_options=dict(cell_options or {}),
        )
        self.embedding = layers.EmbeddingDropout(
            tokenizer.vocabulary_size, embedding_dim, name="embedding"
        )
        self.input_dropout = layers.LockedDropout(input_dropout, name="input_dropout")
        self.make_directions(self.settings)
        self.readout = None
        if tied:
            self.readout = keras.layers.Dense(embedding_dim, use_bias=False, name="readout")  # P
        self.output_projection = layers.VocabularyOutput(
            tokenizer.vocabulary_size, tied_to=self.embedding if tied else None, name="output"
        )
        if mixing == "layers":
            self.blank_vector = self.add_weight(
                name="blank_vector", shape=(embedding_dim,), initializer="uniform"
            )
        self(np.full((1, 3), BOS, dtype=np.int32), blanks=np.array([[False, True, False]]))

    def example(self, text: str, target: Any = None) -> Example:
        """A text's ids with both ends, and the places of its blanks."""
        refuse_targets(self, target)
        ids, places = [BOS], []
        for i, part in enumerate(BLANK.split(text)):
            if i:
                places.append(len(ids))
                ids.append(BOS)
            ids += self.tokenizer.encode(part)
        return [*ids, EOS], places

    def collate(self, examples: Sequence[Example], rng: np.random.Generator | None = None) -> Batch:
        """Whole texts, to be predicted at their words; at some, drawn by `rng`, if those hide."""
        ids, lengths = pad([row for row, _ in examples])
        words = counted(lengths - 1, ids.shape[1])
        words[:, 0] = 0.0  # neither <bos> nor <eos>
        blanks = np.zeros(ids.shape, bool)
        for row, (_, places) in enumerate(examples):
            blanks[row, list(places)] = True
        words[blanks] = 0.0
        if self.settings.mixing == "top":
            return ids, ids, words
        if rng is not None:
            hidden = hidden_words(words, rng)
            blanks, words = blanks | hidden, hidden.astype(np.float32)
        return {"ids": ids, "blanks": blanks}, ids, words

    def call(
        self,
        ids: Tensor | Mapping[str, Tensor],
        blanks: Tensor | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        """Logits [batch, time, vocabulary] for the word at each position; see `features`.

        `ids` and `blanks` may come as one mapping. Without a mask, `<pad>` is padding.
        """
        if isinstance(ids, Mapping):
            ids, blanks, mask = ids["ids"], ids["blanks"], None  # Keras makes a mapping of it too
        mask = ops.not_equal(ids, PAD) if mask is None else mask
        return self.output_projection(self.features(ids, blanks, mask, training))

    def features(
        self,
        ids: Tensor,
        blanks: Tensor | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        """What is known of the word at each position from all the others.

        Args:
            ids: [batch, time] int32, `<bos>` first, `<eos>` last, right-padded.
            blanks: [batch, time] bool, the positions whose words are hidden. With mixing="top"
                no word is seen at its own position anyway.
            mask: [batch, time] bool, False at padding.
            training: whether dropout is on.

        Returns:
            [batch, time, 2 * units], tied [batch, time, embedding_dim]; meaningful between the
            ends (mixing="top") or at the blanks (mixing="layers").
        """
        x = self.embedding(ids)  # [batch, time, embedding_dim]
        if self.settings.mixing == "layers" and blanks is not None:
            x = ops.where(ops.expand_dims(blanks, -1), ops.cast(self.blank_vector, x.dtype), x)
        x = self.input_dropout(x, training=training)
        if self.settings.mixing == "layers":
            both = self.mixed(x, mask, training)
        else:
            both = self._shifted(*self.apart(x, mask, training))
        return both if self.readout is None else self.readout(both)

    def _shifted(self, past: Tensor, future: Tensor) -> Tensor:
        """[→h_{t-1}; ←h_{t+1}] at t: [batch, time, 2 * units]."""
        before = ops.pad(past[:, :-1], [[0, 0], [1, 0], [0, 0]])
        after = ops.pad(future[:, 1:], [[0, 0], [0, 1], [0, 0]])
        return ops.concatenate([before, after], axis=-1)

    def fill_log_probs_graph(self, ids: Tensor, lengths: Tensor, position: Tensor) -> Tensor:
        """Log-probabilities [batch, vocabulary] of the word at `position` [batch] of each row."""
        steps = ops.arange(ops.shape(ids)[1], dtype="int32")[None, :]
        blanks = steps == ops.expand_dims(position, 1)
        hidden = self.features(ids, blanks, steps < ops.expand_dims(lengths, 1))
        at_blank = ops.take_along_axis(hidden, position[:, None, None], axis=1)[:, 0]
        return self.log_softmax(at_blank)

    compiled_fill_log_probs = compiled_method(fill_log_probs_graph)

    def fill_log_probs(
        self, ids: np.ndarray, lengths: np.ndarray, positions: np.ndarray
    ) -> np.ndarray:
        values = self.compiled_fill_log_probs(as_ids(ids), as_ids(lengths), as_ids(positions))
        return ops.convert_to_numpy(values)

    def read_text(self, text: str) -> list[str]:
        """With or without a blank."""
        ids, blank = [BOS, *self.tokenizer.encode(text), EOS], None
        if BLANK.search(text):
            ids, blank = self.split_at_blank(text)
        hidden = np.arange(len(ids))[None, :] == (-1 if blank is None else blank)
        self.features(as_ids(np.array([ids], np.int32)), ops.convert_to_tensor(hidden))
        return ["___" if i == blank else self.tokenizer.vocabulary[w] for i, w in enumerate(ids)]

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """What is known of each word from both sides, [words, 2 * units] a text.

        With mixing="top" a word's vector does not see the word itself, with mixing="layers" it
        does. Words are those of `tokenizer.tokenize`; a `___` is one.
        """
        answers: list[np.ndarray] = []
        for chunk in batches(checked_texts(texts)):
            x, ids, _ = self.collate([self.example(text) for text in chunk])
            blanks = x["blanks"] if isinstance(x, dict) else np.zeros(ids.shape, bool)
            hidden = self.compiled_hidden(as_ids(ids), ops.convert_to_tensor(blanks))
            lengths = (ids != PAD).sum(axis=1)
            rows = zip(ops.convert_to_numpy(hidden), lengths, strict=True)
            answers += [vectors[1 : length - 1] for vectors, length in rows]
        return answers

    def hidden_graph(self, ids: Tensor, blanks: Tensor) -> Tensor:
        """`features` of padded ids [batch, time], on tensors."""
        return self.features(ids, blanks, ops.not_equal(ids, PAD))

    compiled_hidden = compiled_method(hidden_graph)
