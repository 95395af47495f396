"""Neural language models: embedding, a body that differs by family, softmax over the vocabulary.

ŷ_t = softmax(W^(S) h_t)                                                                      [6]

The body maps token ids and a named state to hidden vectors h_1 ... h_T and the new state. Scoring,
stepping, prefilling and the training loss follow from that one method.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from zoo.backend import as_ids
from zoo.models.checks import batches, checked_texts
from zoo.models.compiled import compiled_method
from zoo.models.keras_model import KerasModel
from zoo.models.keras_training import refuse_targets
from zoo.models.on_tensors import TensorLanguageModel
from zoo.models.text_batches import Batch, Example, counted
from zoo.text import BOS, EOS
from zoo.text.padding import pad
from zoo.types import ModelState, Tensor


class NeuralLanguageModel(TensorLanguageModel, KerasModel):
    """Base of the Keras language models: a subclass gives `features` and `initial_state`.

    A subclass sets `self.output_projection` (a `zoo.layers.VocabularyOutput`).
    """

    @abstractmethod
    def features(
        self,
        ids: Tensor,
        state: ModelState | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, ModelState]:
        """Hidden vectors [batch, time, width] for ids [batch, time], and the state after them.

        Args:
            ids: [batch, time] int32.
            state: where to go on from; None is the state before any token.
            mask: [batch, time] bool, False where a token is padding and leaves the state alone.
            training: whether dropout is on.
        """

    def call(self, ids: Tensor, training: bool = False) -> Tensor:
        """Logits [batch, time, vocabulary] for right-padded ids [batch, time].

        Of a mixture of softmaxes: the logarithms of its probabilities.
        """
        hidden, _ = self.features(ids, training=training)
        if self.mixture is not None:
            return self.log_softmax(hidden)
        return self.output_projection(hidden)

    def example(self, text: str, target: Any = None) -> Example:
        refuse_targets(self, target)
        return (self.tokenizer.encode(text),)

    def collate(self, examples: Sequence[Example], rng: np.random.Generator | None = None) -> Batch:
        """Inputs `<bos>` w_1 ... w_n, and the word after each, `<eos>` at the end."""
        inputs, lengths = pad([[BOS, *ids] for (ids,) in examples])
        targets, _ = pad([[*ids, EOS] for (ids,) in examples])
        return inputs, targets, counted(lengths, inputs.shape[1])

    def hidden_step_graph(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """One token's hidden vector [batch, width], and the state after it."""
        hidden, new = self.features(ops.expand_dims(token_ids, 1), state)
        return hidden[:, 0], new

    def step_graph(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        hidden, new = self.hidden_step_graph(token_ids, state)
        return self.log_softmax(hidden), new

    def consume_graph(self, ids: Tensor, lengths: Tensor) -> ModelState:
        steps = ops.arange(ops.shape(ids)[1], dtype="int32")
        mask = steps[None, :] < ops.cast(lengths, "int32")[:, None]
        return self.features(ids, self.initial_state(ops.shape(ids)[0]), mask)[1]

    def continued_log_probs_graph(
        self, inputs: Tensor, targets: Tensor, state: ModelState
    ) -> tuple[Tensor, ModelState]:
        hidden, new = self.features(inputs, state)
        return -self.cross_entropy(hidden, targets), new

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Hidden vectors h_t of each text, [words + 1, width] a text.

        Row t is what the model knows after `<bos>` and t words, and predicts the next one from;
        the last row is the whole text's. Words are those of `tokenizer.tokenize`.

        Example:
            >>> import zoo
            >>> words = zoo.text.WordTokenizer.train(["the cat is small"])
            >>> lm = zoo.models.RecurrentLanguageModel(words, units=8, embedding_dim=4)
            >>> [rows.shape for rows in lm.encode(["the cat", ""])]
            [(3, 8), (1, 8)]
        """
        texts = checked_texts(texts)
        answers: list[np.ndarray] = []
        for chunk in batches(texts):
            ids, lengths = pad([[BOS, *self.tokenizer.encode(text)] for text in chunk])
            hidden = ops.convert_to_numpy(self.compiled_hidden(as_ids(ids)))
            answers += [rows[:length] for rows, length in zip(hidden, lengths, strict=True)]
        return answers

    def hidden_graph(self, ids: Tensor) -> Tensor:
        """Hidden vectors [batch, time, width] for ids [batch, time], on tensors."""
        return self.features(ids)[0]

    compiled_hidden = compiled_method(hidden_graph)

    def build_weights(self) -> None:
        """Create all weights by one call on a small batch; constructors end with this."""
        self(np.zeros((1, 2), dtype=np.int32))
