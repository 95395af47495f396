"""A continuous cache's window, θ and λ (zoo.models.CachedLanguageModel), chosen on a text.

The network reads the text once. For each window and θ of a grid the cache's probability of every
word follows from the vectors; λ, the share of the cache, needs no grid: the share under which the
words are likeliest is found by expectation maximisation, as a mixture's weights are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from training.tasks.batches import encode_stream, sentence_batches, stream_batches
from training.tasks.progress_bar import tracked
from zoo.backend import as_ids
from zoo.errors import ZooError
from zoo.metrics import perplexity
from zoo.models.interpolated import best_weights
from zoo.models.neural import NeuralLanguageModel
from zoo.types import ModelState, Tensor

logger = logging.getLogger("zoo")

WINDOWS = (500, 2000)
THETAS = (0.1, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0)
STEPS = 128  # of running text that the network reads together
CHUNK = 256  # words that are looked up together
LONGEST = 10_000


@dataclass(frozen=True)
class Text:
    """What is known of a text with one cache: h before each word, log p_vocab of it, the words."""

    hidden: np.ndarray  # [time, width]
    log_probs: np.ndarray  # [time]
    words: np.ndarray  # [time]


@dataclass(frozen=True)
class CacheFit:
    """A point of the grid with the share that suits it best."""

    window: int
    theta: float
    weight: float
    perplexity: float


def best_cache(
    model: NeuralLanguageModel,
    sentences: Sequence[Sequence[int]],
    is_stream: bool,
    windows: Sequence[int] = WINDOWS,
    thetas: Sequence[float] = THETAS,
) -> CacheFit:
    """The point of a grid under which a text is likeliest.

    Args:
        model: the network, without a cache.
        sentences: as ids, without `<bos>` and `<eos>`.
        is_stream: whether they are running text with one cache, or have one each.
        windows, thetas: the grid.
    """
    if not windows or not thetas:
        raise ZooError(f"windows={windows!r}, thetas={thetas!r}: give at least one of each")
    texts = list(texts_read(model, sentences, is_stream))
    fits = []
    for theta in thetas:
        for window in windows:
            shares = [cache_probabilities(text, window, float(theta)) for text in texts]
            fits.append(fitted_weight(texts, shares, window, float(theta)))
            logger.info("cache: %s", fits[-1])
    return min(fits, key=lambda fit: fit.perplexity)


def texts_read(
    model: NeuralLanguageModel, sentences: Sequence[Sequence[int]], is_stream: bool
) -> Iterator[Text]:
    """The network's vectors and probabilities, computed once."""

    def read(inputs: Tensor, targets: Tensor, state: ModelState) -> tuple[Tensor, ...]:
        hidden, new = model.features(inputs, state)
        return hidden, -model.cross_entropy(hidden, targets), new

    reading = model.compiled_once("read_for_cache", read)
    if not is_stream:
        for batch in sentence_batches(sentences, 64, LONGEST, rng=None):
            found = reading(*_ids(batch), model.initial_state(len(batch["inputs"])))
            yield from _rows(batch, *map(ops.convert_to_numpy, found[:2]))
        return
    stream = encode_stream(sentences)
    parts, state = [], model.initial_state(1)
    batches = stream_batches(stream, 1, STEPS)
    for batch in tracked(batches, "reading", -(-len(stream) // STEPS)):
        hidden, log_probs, state = reading(*_ids(batch), state)
        values = (ops.convert_to_numpy(hidden)[0], ops.convert_to_numpy(log_probs)[0])
        parts.append((*values, batch["targets"][0]))
    yield Text(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _ids(batch: dict[str, np.ndarray]) -> tuple[Tensor, Tensor]:
    return as_ids(batch["inputs"]), as_ids(batch["targets"])


def _rows(batch: dict[str, np.ndarray], hidden: Any, log_probs: Any) -> Iterator[Text]:
    """A text for each row that has words."""
    for i, counted in enumerate(batch["weights"].astype(bool)):
        if counted.any():
            yield Text(hidden[i][counted], log_probs[i][counted], batch["targets"][i][counted])


def cache_probabilities(text: Text, window: int, theta: float) -> np.ndarray:
    """p_cache of each word of a text [time]; NaN for the first, before which there is no pair."""
    time, width = text.hidden.shape
    window = min(window, time)
    before = np.zeros((window, width), np.float32)
    vectors = np.concatenate([before, text.hidden.astype(np.float32)])
    words = np.concatenate([np.full(window, -1), text.words])
    shares = []
    for start in range(0, time, CHUNK):
        stop = min(start + CHUNK, time)
        likeness = text.hidden[start:stop].astype(np.float32) @ vectors[start : stop + window].T
        # Row c sees columns c ... c + window - 1: the pairs before its word.
        likeness = np.lib.stride_tricks.sliding_window_view(likeness, window, axis=1)
        own = np.arange(stop - start)
        found = np.lib.stride_tricks.sliding_window_view(words[start : stop + window], window)[own]
        scaled = np.where(found >= 0, theta * likeness[own, own], -np.inf)
        with np.errstate(invalid="ignore"):
            pairs = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        hits = np.where(found == text.words[start:stop, None], pairs, 0.0)
        shares.append(hits.sum(axis=1) / pairs.sum(axis=1))
    return np.concatenate(shares)


def fitted_weight(
    texts: Sequence[Text], shares: Sequence[np.ndarray], window: int, theta: float
) -> CacheFit:
    """λ by expectation maximisation over the words that have a cache, and what it brings."""
    of_network = np.concatenate([text.log_probs for text in texts]).astype(np.float64)
    cached = np.concatenate(shares).astype(np.float64)
    known = ~np.isnan(cached)
    with np.errstate(divide="ignore"):
        both = np.stack([of_network[known], np.log(cached[known])])
    weight = float(best_weights(both)[1]) if known.any() else 0.0
    mixed = np.exp(of_network)
    mixed[known] = (1 - weight) * mixed[known] + weight * cached[known]
    return CacheFit(window, theta, weight, perplexity(-float(np.log(mixed).sum()), len(mixed)))
