"""Neural language models: embedding, a body that differs by family, softmax over the vocabulary.

ŷ_t = softmax(W^(S) h_t)                                                                      [6]

The body maps token ids and a named state to hidden vectors h_1 ... h_T and the new state. Scoring,
stepping, prefilling and the training loss follow from that one method.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from keras import ops

from zoo.models.keras_model import KerasModel
from zoo.models.on_tensors import TensorLanguageModel
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

    def build_weights(self) -> None:
        """Create all weights by one call on a small batch; constructors end with this."""
        self(np.zeros((1, 2), dtype=np.int32))
