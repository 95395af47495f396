"""Neural language models: embedding, a body that differs by family, softmax over the vocabulary.

ŷ_t = softmax(W^(S) h_t)                                                                      [6]

The body maps token ids and a named state to hidden vectors h_1 ... h_T and the new state. Scoring,
stepping, prefilling and the training loss follow from that one method.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from zoo.backend import as_ids
from zoo.decoding import Beam, generate
from zoo.decoding.generation import sample_loop, uniform_numbers
from zoo.decoding.sampling import Greedy, Sample
from zoo.models.keras_model import KerasModel, compiled_method
from zoo.models.language_model import NEVER_GENERATED, LanguageModel, refuse_unknown_ids
from zoo.types import ModelState, Tensor


class NeuralLanguageModel(LanguageModel, KerasModel):
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
        """Logits [batch, time, vocabulary] for right-padded ids [batch, time]."""
        hidden, _ = self.features(ids, training=training)
        return self.output_projection(hidden)

    # The graph-side methods: tensors in, tensors out, no Python state; export traces these.

    def step_graph(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """`step` on tensors."""
        hidden, new = self.features(ops.expand_dims(token_ids, 1), state)
        return self.log_softmax(hidden[:, 0]), new

    def consume_graph(self, ids: Tensor, lengths: Tensor) -> ModelState:
        """`consume` on tensors."""
        steps = ops.arange(ops.shape(ids)[1], dtype="int32")
        mask = steps[None, :] < ops.cast(lengths, "int32")[:, None]
        return self.features(ids, self.initial_state(ops.shape(ids)[0]), mask)[1]

    def token_log_probs_graph(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """`token_log_probs` on tensors."""
        return self.continued_log_probs_graph(
            inputs, targets, self.initial_state(ops.shape(inputs)[0])
        )[0]

    def continued_log_probs_graph(
        self, inputs: Tensor, targets: Tensor, state: ModelState
    ) -> tuple[Tensor, ModelState]:
        """Log-probabilities [batch, time] of `targets`, going on from `state`."""
        hidden, new = self.features(inputs, state)
        return -self.cross_entropy(hidden, targets), new

    def next_log_probs_graph(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """`next_log_probs` on tensors."""
        last = ops.take_along_axis(ids, ops.expand_dims(lengths - 1, 1), axis=1)[:, 0]
        return self.step_graph(last, self.consume_graph(ids, lengths - 1))[0]

    # The same, compiled once and called with arrays.

    compiled_step = compiled_method(step_graph)
    compiled_consume = compiled_method(consume_graph)
    compiled_token_log_probs = compiled_method(token_log_probs_graph)
    compiled_continued_log_probs = compiled_method(continued_log_probs_graph)
    compiled_next_log_probs = compiled_method(next_log_probs_graph)

    def step(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        refuse_unknown_ids(token_ids, self.tokenizer.vocabulary_size)
        return self.compiled_step(as_ids(token_ids), state)

    def consume(self, ids: Tensor, lengths: Tensor) -> ModelState:
        return self.compiled_consume(as_ids(ids), as_ids(lengths))

    def token_log_probs(self, inputs: Tensor, targets: Tensor) -> Tensor:
        values = self.compiled_token_log_probs(as_ids(inputs), as_ids(targets))
        return ops.convert_to_numpy(values)

    def continued_log_probs(
        self, inputs: Tensor, targets: Tensor, state: ModelState | None = None
    ) -> tuple[np.ndarray, ModelState]:
        """Log-probabilities of a piece of running text, and the state to go on from."""
        state = self.initial_state(len(inputs)) if state is None else state
        values, new = self.compiled_continued_log_probs(as_ids(inputs), as_ids(targets), state)
        return ops.convert_to_numpy(values), new

    def continued(
        self, state: ModelState, first_ids: np.ndarray, sampler: Any, max_words: int, seed: int
    ) -> Tensor:
        initial = as_ids(first_ids)
        if isinstance(sampler, Beam):
            search = partial(self.search_graph, sampler=sampler, max_words=max_words)
            return self.compiled_once((sampler, max_words), search)(initial, state)
        uniform = ops.convert_to_tensor(uniform_numbers(len(first_ids), max_words, seed))
        sample = partial(self.sample_graph, sampler=sampler)
        return self.compiled_once(sampler, sample)(initial, state, uniform)

    def sample_graph(
        self, first_ids: Tensor, state: ModelState, uniform: Tensor, sampler: Greedy | Sample
    ) -> Tensor:
        """A whole text a row from uniform numbers [rows, max_words], on tensors."""
        return sample_loop(
            self.step_graph, state, first_ids, sampler, uniform, forbidden_ids=NEVER_GENERATED
        )

    def search_graph(
        self, first_ids: Tensor, state: ModelState, sampler: Beam, max_words: int
    ) -> Tensor:
        """The best text a row, on tensors."""
        return generate(
            self.step_graph, state, first_ids, sampler, max_words, forbidden_ids=NEVER_GENERATED
        )

    def next_log_probs(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return ops.convert_to_numpy(self.compiled_next_log_probs(as_ids(ids), as_ids(lengths)))

    def build_weights(self) -> None:
        """Create all weights by one call on a small batch; constructors end with this."""
        self(np.zeros((1, 2), dtype=np.int32))
