"""A pointer to the names of the text so far: who has been named is likelier than who has not.

    N            names, a part of the vocabulary;   S_t ⊆ N   those among x_1 ... x_t
    m_t        = Σ_{w∈N} p(w | h_t)                how much the network expects a name
    p_S(w)     = p(w | h_t) / Σ_{v∈S_t} p(v | h_t) for w in S_t: which of those named it expects
    λ_t        = γ m_t / (1 + γ m_t)               0 while nobody has been named
    p(w | ...) = (1 − λ_t) p(w | h_t) + λ_t p_S(w)

The network says where a name is due and which would fit; the text says which there are. So the
pointer leaves all other places alone, which a cache of all words with a fixed share does not (see
`zoo.models.cached`). It is a cache of a class of words, as in Kuhn and De Mori 1990, with the
pointer's choice by the network itself (compare Merity et al. 2017, arXiv 1609.07843). Nothing is
trained: the names are found in the corpus by their capitals (`zoo.text.names`), γ is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.io import read_text_lines, write_atomically
from zoo.layers.recurrence.loop import scan
from zoo.models import parts
from zoo.models.base import model_family
from zoo.models.neural import NeuralLanguageModel
from zoo.models.on_tensors import TensorLanguageModel
from zoo.types import ModelState, Tensor

NAMES_FILE = "names.txt"
SEEN = "names_seen"
TINY = 1e-30


@model_family
class PointerLanguageModel(TensorLanguageModel):
    """A language model with a pointer to the names that it has just read.

    The state holds, besides the network's own, `names_seen` [batch, names]: 1 for each name of
    the text so far.

    Args:
        model: any neural language model.
        names: words of its vocabulary.
        gamma: γ, how much the pointer counts against the network; 0 leaves the network alone.
        reference: where `model` is a shipped preset, its name: `save_to_preset` then writes that
            instead of a copy of the model.

    Raises:
        ZooError: the model has no hidden vectors (counts), a name is not in its vocabulary, or γ
            is out of its range.

    Example:
        >>> import zoo
        >>> words = zoo.text.WordTokenizer.train(["jane said hi to john"])
        >>> lm = zoo.models.RecurrentLanguageModel(words, units=8, embedding_dim=8, num_layers=1)
        >>> pointer = zoo.models.PointerLanguageModel(lm, ["jane", "john"], gamma=10.0)
        >>> text = "john said hi to"
        >>> dict(pointer.next_words([text])[0])["john"] > dict(lm.next_words([text])[0])["john"]
        True
    """

    def __init__(
        self,
        model: NeuralLanguageModel,
        names: Sequence[str],
        gamma: float = 10.0,
        reference: str | None = None,
    ) -> None:
        if not isinstance(model, NeuralLanguageModel):
            raise ZooError(f"a {type(model).__name__} has no steps on tensors: give a neural model")
        if not 0 <= gamma < math.inf:
            raise ZooError(f"gamma={gamma!r}: give a number from 0")
        self._compiled = {}
        self.model, self.tokenizer = model, model.tokenizer
        self.names, self.gamma, self.reference = list(names), float(gamma), reference
        known = {word: i for i, word in enumerate(self.tokenizer.vocabulary)}
        missing = [name for name in self.names if name not in known]
        if missing or not self.names:
            raise ZooError(f"names={missing[:3] or []!r}: give words of the model's vocabulary")
        self._ids = np.array([known[name] for name in self.names], np.int32)
        # Of each word its place among the names; behind them where it is none.
        self._places = np.full(len(known), len(self.names), np.int32)
        self._places[self._ids] = np.arange(len(self.names))

    @classmethod
    def of_preset(cls, name: str, names: Sequence[str], gamma: float = 10.0) -> Self:
        """A shipped preset with a pointer; saved, it takes kilobytes."""
        return cls(parts.load_shipped(name), names, gamma, reference=name)

    def variables_read(self) -> list[keras.Variable]:
        return list(self.model.variables)

    # Methods on tensors

    def initial_state(self, batch_size: int | Tensor) -> ModelState:
        seen = ops.zeros((batch_size, len(self.names)), "float32")
        return {**self.model.initial_state(batch_size), SEEN: seen}

    def step_graph(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        log_probs, own = self.model.step_graph(token_ids, state)
        seen = ops.maximum(state[SEEN], self._named(token_ids))
        return self._pointed(log_probs, seen), {**own, SEEN: seen}

    def consume_graph(self, ids: Tensor, lengths: Tensor) -> ModelState:
        steps = ops.arange(ops.shape(ids)[1], dtype="int32")
        read = steps[None, :] < ops.cast(lengths, "int32")[:, None]
        named = self._named(ids) * ops.cast(read, "float32")[:, :, None]
        return {**self.model.consume_graph(ids, lengths), SEEN: ops.max(named, axis=1)}

    def continued_log_probs_graph(
        self, inputs: Tensor, targets: Tensor, state: ModelState
    ) -> tuple[Tensor, ModelState]:
        hidden, own = self.model.features(inputs, state)

        def body(seen: tuple[Tensor], step: tuple[Tensor, ...]) -> tuple[Any, Any]:
            """One step: a distribution over the vocabulary, of which one word's part is kept."""
            h, ids, wanted = step
            now = ops.maximum(seen[0], self._named(ids))
            log_probs = self._pointed(self.model.log_softmax(h), now)
            return (now,), (ops.take_along_axis(log_probs, wanted[:, None], axis=1)[:, 0],)

        by_time = (ops.transpose(hidden, (1, 0, 2)), ops.transpose(inputs), ops.transpose(targets))
        (seen,), (values,) = scan(body, (state[SEEN],), by_time)
        return ops.transpose(values), {**own, SEEN: seen}

    # What they are made of

    def _named(self, ids: Tensor) -> Tensor:
        """1 at the name that each id is; [..., names]."""
        places = ops.take(ops.convert_to_tensor(self._places), ids)
        each = ops.arange(len(self.names), dtype="int32")
        return ops.cast(ops.expand_dims(places, -1) == each, "float32")

    def _pointed(self, log_probs: Tensor, seen: Tensor) -> Tensor:
        """The mixture [batch, vocabulary] of the network's distribution and the pointer's."""
        expected = ops.exp(ops.take(log_probs, ops.convert_to_tensor(self._ids), axis=1))
        mass = ops.sum(expected, axis=1, keepdims=True)  # m_t [batch, 1]
        pointed = expected * seen
        total = ops.sum(pointed, axis=1, keepdims=True)
        share = self.gamma * mass / (1 + self.gamma * mass)
        share = ops.where(total > TINY, share, 0.0)  # λ_t
        of_names = share * pointed / ops.maximum(total, TINY)  # [batch, names]
        none = ops.zeros_like(share)
        of_words = ops.take(ops.concatenate([of_names, none], axis=1), self._places, axis=1)
        return ops.logaddexp(ops.log1p(-share) + log_probs, ops.log(of_words))

    # Presets: the network is a preset of its own below models/, or the name of a shipped one

    def get_preset_config(self) -> dict[str, Any]:
        return {"gamma": self.gamma, **parts.config_of([self.reference])}

    def write_assets(self, directory: Path, dtype: str) -> None:
        parts.write([self.model], [self.reference], directory, dtype)
        write_atomically(directory / NAMES_FILE, "\n".join(self.names) + "\n")

    @classmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        own = dict(config)
        models, (reference,) = parts.read(directory, own, count=1)
        names = read_text_lines(directory / NAMES_FILE)
        return cls(models[0], names, **own, reference=reference)

    def parameter_count(self) -> int:
        """The network's: the pointer has none."""
        return self.model.parameter_count()
