"""Language models whose steps are functions of tensors: a graph of their own, or of a wrapper.

What a model does to tensors (`*_graph`) is what an export traces; here the same is compiled once
and called with arrays, which is what Python users call.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from zoo.backend import as_ids, few_shapes
from zoo.decoding import Beam, generate
from zoo.decoding.generation import sample_loop, uniform_numbers
from zoo.decoding.sampling import Greedy, Sample
from zoo.models.checks import refuse_unknown_ids
from zoo.models.compiled import CompiledMethods, compiled_method
from zoo.models.language_model import LanguageModel
from zoo.models.text_generation import NEVER_GENERATED
from zoo.types import ModelState, Tensor


class TensorLanguageModel(CompiledMethods, LanguageModel):
    """Base of the language models on tensors; a family gives `initial_state` and the first three.

    Tensors in, tensors out, no Python state.
    """

    @abstractmethod
    def step_graph(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """`step` on tensors."""

    @abstractmethod
    def consume_graph(self, ids: Tensor, lengths: Tensor) -> ModelState:
        """`consume` on tensors."""

    @abstractmethod
    def continued_log_probs_graph(
        self, inputs: Tensor, targets: Tensor, state: ModelState
    ) -> tuple[Tensor, ModelState]:
        """Log-probabilities [batch, time] of `targets`, going on from `state`."""

    def token_log_probs_graph(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """`token_log_probs` on tensors."""
        return self.continued_log_probs_graph(
            inputs, targets, self.initial_state(ops.shape(inputs)[0])
        )[0]

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
        rows, width = inputs.shape
        ids = (as_ids(few_shapes(part)) for part in (inputs, targets))
        return ops.convert_to_numpy(self.compiled_token_log_probs(*ids))[:rows, :width]

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
