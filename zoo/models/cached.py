"""A continuous cache: words that have just occurred are likely to occur again (Grave et al. 2017).

    p_cache(w | h_1 ... h_t, x_1 ... x_t) ∝ Σ_{i<t} 1{w = x_{i+1}} exp(θ h_tᵀ h_i)

    p(w | h_1 ... h_t, x_1 ... x_t) = (1 − λ) p_vocab(w | h_t) + λ p_cache(w | h_1 ... h_t, x_1 ...)

h_t is what the network's softmax [6] reads after x_1 ... x_t, and p_vocab is that softmax. The
cache keeps the last pairs (h_i, x_{i+1}), so many as its window; while it is empty, p is p_vocab.
Nothing is trained: θ and λ are chosen on validation text (arXiv 1612.04426, section 3).

Where a sentence begins within running text the network reads `<bos>`; the word that occurred there
is the `<eos>` of the one before, and that is what is kept.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple, Self

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.models import parts
from zoo.models.base import model_family
from zoo.models.keras_model import positive
from zoo.models.language_model import LanguageModel
from zoo.models.neural import NeuralLanguageModel
from zoo.models.on_tensors import TensorLanguageModel
from zoo.text import BOS, EOS, PAD
from zoo.types import ModelState, Tensor

NEVER = -1e30
CHUNK = 16  # steps of a text that look into the cache together

VECTORS, WORDS, LAST, BEGUN = "cache_vectors", "cache_words", "cache_last", "cache_begun"


class Memory(NamedTuple):
    """Pairs (h_i, x_{i+1}) in their order: [batch, pairs, width], [batch, pairs]; `<pad>`: none."""

    vectors: Tensor
    words: Tensor


@model_family
class CachedLanguageModel(TensorLanguageModel):
    """A language model with a cache of the words that it has just seen.

    The state holds, besides the network's own, `cache_vectors` [batch, window, width] and
    `cache_words` [batch, window] (`<pad>` where there is none), oldest first; the vector whose word
    is to come, `cache_last` [batch, width]; and whether there is one, `cache_begun` [batch].

    Args:
        model: a neural language model.
        window: how many pairs are kept.
        theta: θ, how much likeness counts; 0 counts all pairs alike.
        weight: λ, the cache's share, from 0 to below 1.
        reference: where `model` is a shipped preset, its name: `save_to_preset` then writes that
            instead of a copy of the model.

    Raises:
        ZooError: the model has no hidden vectors (counts), or a number is out of its range.

    Example:
        >>> import zoo
        >>> words = zoo.text.WordTokenizer.train(["jane said hi to tom"])
        >>> lm = zoo.models.RecurrentLanguageModel(words, units=8, embedding_dim=8, num_layers=1)
        >>> cached = zoo.models.CachedLanguageModel(lm, window=100, theta=1.0, weight=0.3)
        >>> text = "jane jane jane"
        >>> dict(cached.next_words([text])[0])["jane"] > dict(lm.next_words([text])[0])["jane"]
        True
    """

    how_it_is_trained = "fit the network that it keeps, `model`"

    def __init__(
        self,
        model: LanguageModel,
        window: int = 2000,
        theta: float = 1.0,
        weight: float = 0.2,
        reference: str | None = None,
    ) -> None:
        if not isinstance(model, NeuralLanguageModel):
            raise ZooError(
                f"a {type(model).__name__} has no hidden vectors to keep: give a neural model"
            )
        if not 0 <= theta < math.inf:
            raise ZooError(f"theta={theta!r}: give a number from 0")
        if not 0 <= weight < 1:
            raise ZooError(f"weight={weight!r}: give the cache's share, from 0 to below 1")
        self._compiled = {}
        self.model, self.tokenizer = model, model.tokenizer
        self.window = positive("window", window)
        self.theta, self.weight = float(theta), float(weight)
        self.reference = reference

    @classmethod
    def of_preset(cls, name: str, window: int, theta: float, weight: float) -> Self:
        """A shipped preset with a cache; saved, it takes kilobytes."""
        return cls(parts.load_shipped(name), window, theta, weight, reference=name)

    def narrowed(self, longest: int) -> CachedLanguageModel:
        """The same for texts of at most `longest` tokens, each with a cache of its own.

        Their caches never hold more, so that a smaller window says the same in less time.
        """
        window = min(self.window, positive("longest", longest))
        return CachedLanguageModel(self.model, window, self.theta, self.weight, self.reference)

    def variables_read(self) -> list[keras.Variable]:
        return list(self.model.variables)

    # Methods on tensors

    def initial_state(self, batch_size: int | Tensor) -> ModelState:
        width = self.model.output_projection.kernel.shape[0]
        return {
            **self.model.initial_state(batch_size),
            VECTORS: ops.zeros((batch_size, self.window, width), "float32"),
            WORDS: ops.full((batch_size, self.window), PAD, dtype="int32"),
            LAST: ops.zeros((batch_size, width), "float32"),
            BEGUN: ops.zeros((batch_size,), "int32"),
        }

    def step_graph(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        hidden, own = self.model.hidden_step_graph(token_ids, state)
        ids, read = ops.expand_dims(token_ids, 1), ops.expand_dims(hidden, 1)
        new = self._after(ids, read, state)
        shares, cached = self._shares(ops.cast(hidden, "float32"), new)
        size = self.tokenizer.vocabulary_size
        of_words = scattered(shares, new[WORDS], size)  # p_cache [batch, vocabulary]
        log_probs = self._mixed(self.model.log_softmax(hidden), of_words, ops.any(cached, 1))
        return log_probs, {**own, **new}

    def consume_graph(self, ids: Tensor, lengths: Tensor) -> ModelState:
        steps = ops.arange(ops.shape(ids)[1], dtype="int32")
        mask = steps[None, :] < ops.cast(lengths, "int32")[:, None]
        state = self.initial_state(ops.shape(ids)[0])
        hidden, own = self.model.features(ids, state, mask)
        return {**own, **self._after(ids, hidden, state, lengths)}

    def continued_log_probs_graph(
        self, inputs: Tensor, targets: Tensor, state: ModelState
    ) -> tuple[Tensor, ModelState]:
        hidden, own = self.model.features(inputs, state)
        of_vocabulary = -self.model.cross_entropy(hidden, targets)
        memory = self._grown(inputs, hidden, state)
        of_targets, known = self._target_shares(ops.cast(hidden, "float32"), targets, memory)
        new = {**own, **self._after(inputs, hidden, state)}
        return self._mixed(of_vocabulary, of_targets, known, axis=None), new

    # What they are made of

    def _grown(self, ids: Tensor, hidden: Tensor, state: ModelState) -> Memory:
        """The cache with one pair more for each of ids [batch, time]: window + time pairs.

        The word that occurs at step t is paired with the vector of step t - 1.
        """
        hidden = ops.cast(hidden, "float32")
        before = ops.concatenate([state[LAST][:, None], hidden[:, :-1]], axis=1)
        occurred = ops.where(ids == BOS, EOS, ids)
        begun = state[BEGUN][:, None] > 0  # before the first token nothing has been predicted
        first = ops.where(begun, occurred[:, :1], PAD)
        words = ops.concatenate([state[WORDS], first, occurred[:, 1:]], axis=1)
        return Memory(ops.concatenate([state[VECTORS], before], axis=1), words)

    def _after(
        self, ids: Tensor, hidden: Tensor, state: ModelState, lengths: Tensor | None = None
    ) -> ModelState:
        """The cache's part of the state after ids [batch, time], or the first `lengths` of each."""
        vectors, words = self._grown(ids, hidden, state)
        if lengths is None:
            last, begun = ops.cast(hidden[:, -1], "float32"), ops.ones_like(state[BEGUN])
            window = self.window
            return {
                VECTORS: vectors[:, -window:],
                WORDS: words[:, -window:],
                LAST: last,
                BEGUN: begun,
            }
        every = ops.concatenate([state[LAST][:, None], ops.cast(hidden, "float32")], axis=1)
        read = ops.cast(lengths, "int32")[:, None]  # [batch, 1]
        kept = read + ops.arange(self.window, dtype="int32")[None, :]  # [batch, window]
        return {
            VECTORS: ops.take_along_axis(vectors, kept[:, :, None], axis=1),
            WORDS: ops.take_along_axis(words, kept, axis=1),
            LAST: ops.take_along_axis(every, read[:, :, None], axis=1)[:, 0],
            BEGUN: ops.maximum(state[BEGUN], ops.cast(read[:, 0] > 0, "int32")),
        }

    def _shares(self, hidden: Tensor, state: ModelState) -> tuple[Tensor, Tensor]:
        """exp(θ hᵀ h_i) of each pair, normalised, and which pairs there are; [batch, window]."""
        likeness = self.theta * ops.matmul(state[VECTORS], hidden[:, :, None])[:, :, 0]
        there = state[WORDS] != PAD
        return ops.softmax(ops.where(there, likeness, NEVER), axis=-1), there

    def _target_shares(
        self, hidden: Tensor, targets: Tensor, memory: Memory
    ) -> tuple[Tensor, Tensor]:
        """p_cache(target) of each step, and whether there was a pair; [batch, time].

        A step sees the `window` pairs before it, of window + time. Steps are taken a few at a
        time, so that a long text needs no matrix of all its steps and pairs.
        """
        time = ops.shape(targets)[1]
        chunks = (time + CHUNK - 1) // CHUNK
        hidden, targets, vectors, words = (
            lengthened(x, chunks * CHUNK - time) for x in (hidden, targets, *memory)
        )
        rows, width = ops.shape(hidden)[0], hidden.shape[-1]
        pairs = self.window + CHUNK
        place = ops.arange(pairs)[None, :] - ops.arange(CHUNK)[:, None]
        seen = ops.logical_and(place >= 1, place <= self.window)  # [CHUNK, pairs]

        def of_chunk(start: Tensor) -> tuple[Tensor, Tensor]:
            read = ops.slice(hidden, (0, start, 0), (rows, CHUNK, width))
            wanted = ops.slice(targets, (0, start), (rows, CHUNK))
            kept = ops.slice(vectors, (0, start, 0), (rows, pairs, width))
            found = ops.slice(words, (0, start), (rows, pairs))
            likeness = self.theta * ops.matmul(read, ops.transpose(kept, (0, 2, 1)))
            there = ops.logical_and(seen[None], (found != PAD)[:, None, :])
            shares = ops.softmax(ops.where(there, likeness, NEVER), axis=-1)
            hits = ops.logical_and(there, found[:, None, :] == wanted[:, :, None])
            return ops.sum(ops.where(hits, shares, 0.0), axis=-1), ops.any(there, axis=-1)

        answers = ops.map(of_chunk, CHUNK * ops.arange(chunks, dtype="int32"))
        whole = (ops.reshape(ops.swapaxes(a, 0, 1), (rows, chunks * CHUNK)) for a in answers)
        shares, known = (a[:, :time] for a in whole)
        return shares, known

    def _mixed(
        self, log_probs: Tensor, cached: Tensor, known: Tensor, axis: int | None = 1
    ) -> Tensor:
        """log((1 − λ) p_vocab + λ p_cache), of p_vocab alone where the cache is empty.

        Args:
            log_probs: log p_vocab.
            cached: p_cache, of the same shape.
            known: whether there are pairs, for each row or, with axis=None, each entry.
        """
        weight = ops.where(known, self.weight, 0.0)
        weight = weight if axis is None else ops.expand_dims(weight, axis)
        return ops.logaddexp(ops.log1p(-weight) + log_probs, ops.log(weight * cached))

    # Presets: the network is a preset of its own below models/, or the name of a shipped one

    def get_preset_config(self) -> dict[str, Any]:
        own = {"window": self.window, "theta": self.theta, "weight": self.weight}
        return {**own, **parts.config_of([self.reference])}

    def write_assets(self, directory: Path, dtype: str) -> None:
        parts.write([self.model], [self.reference], directory, dtype)

    @classmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        own = dict(config)
        models, (reference,) = parts.read(directory, own, count=1)
        return cls(models[0], **own, reference=reference)

    def parameter_count(self) -> int:
        """The network's: the cache has none."""
        return self.model.parameter_count()


def scattered(shares: Tensor, words: Tensor, size: int) -> Tensor:
    """Shares [batch, pairs] summed by their words; [batch, size]."""
    rows = ops.arange(ops.shape(words)[0], dtype="int32")[:, None]
    places = ops.stack([ops.broadcast_to(rows, ops.shape(words)), words], axis=-1)
    return ops.scatter(places, shares, (ops.shape(words)[0], size))


def lengthened(x: Tensor, steps: Tensor | int) -> Tensor:
    """[batch, time, ...] with zeros at its end, for which Keras's `pad` wants plain numbers."""
    shape = (ops.shape(x)[0], steps, *x.shape[2:])
    return ops.concatenate([x, ops.zeros(shape, x.dtype)], axis=1)
