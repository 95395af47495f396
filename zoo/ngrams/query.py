"""Looking n-grams up in the tables, many at a time.

A context is followed level by level: the index of its last word in level 1, of its last two words
in level 2, and so on; `missing` stands for what was never seen and has no followers, so that a
batch needs no branches. A follower is found by binary search in its context's slice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from zoo.ngrams.tables import NGramTables
from zoo.text import BOS, PAD

STEPS = 3  # of binary search between two looks at which searches have ended


class Found(NamedTuple):
    """k-grams continued by a word that are in the table.

    Attributes:
        hit: which of those looked for, rising; the rest has the same length.
        places: indices in level k + 1; int64.
        log_probs, backoffs: of that level's entries; `backoffs` has no meaning in the highest.
    """

    hit: np.ndarray
    places: np.ndarray
    log_probs: np.ndarray
    backoffs: np.ndarray


Lookup = Callable[[int, np.ndarray, np.ndarray], Found]


def find(tables: NGramTables, k: int, contexts: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Indices in level k + 1 of the k-grams `contexts` continued by `words`.

    Args:
        contexts: indices in level k, flat.
        words: ids, of the same length.

    Returns:
        Indices of the same length; `missing` of level k + 1 where there is none.
    """
    begin, followers = tables.levels[k - 1].begin, tables.levels[k].words
    low = begin[contexts]
    size = begin[contexts + 1] - low
    place = np.full(len(low), tables.levels[k].missing, np.int64)
    left = np.flatnonzero(size)
    low, size = low[left], size[left]
    sought = words[left].astype(followers.dtype)
    while len(left):
        for _ in range(STEPS):
            half = size >> 1
            low = np.where(followers[low + half] <= sought, low + half, low)
            size -= half
        ended = size == 1
        hit = ended & (followers[low] == sought)
        place[left[hit]] = low[hit]
        going = ~ended
        left, low, size, sought = left[going], low[going], size[going], sought[going]
    return place


def search(tables: NGramTables, k: int, contexts: np.ndarray, words: np.ndarray) -> Found:
    """`find`, with the log-probability and backoff of each."""
    above = tables.levels[k]
    places = find(tables, k, contexts, words)
    hit = np.flatnonzero(places != above.missing)
    places = places.take(hit)
    backoffs = above.backoff.take(places) if len(above.backoff) else above.backoff
    return Found(hit, places, above.log_prob.take(places), backoffs)


def stream_log_probs(
    tables: NGramTables, stream: np.ndarray, lookup: Lookup | None = None
) -> np.ndarray:
    """log P of each id of sentences `<bos> w_1 ... w_n <eos>` one after another.

    Args:
        lookup: `search` of these tables; `zoo.ngrams.index.index` has a faster one for much text.
        stream: [n] ids. Nothing is looked up across sentences, as no n-gram has `<eos>` in front
            or `<bos>` behind.

    Returns:
        [n] float32; what stands at `<bos>` is without meaning.
    """
    lookup = lookup or partial(search, tables)
    stream = stream.astype(np.int64)
    values = tables.levels[0].log_prob.take(stream).astype(np.float32)
    last, following, scores = len(stream) - 2, stream[1:], values[1:]
    at = None  # which of those have a context of k words that was seen; at first all
    contexts = stream[:-1]
    backoffs = tables.levels[0].backoff.take(contexts) if tables.order > 1 else contexts
    for k in range(1, tables.order):
        found = lookup(k, contexts, following if at is None else following.take(at))
        updated = scores if at is None else scores.take(at)
        updated += backoffs
        updated[found.hit] = found.log_probs
        if at is not None:
            scores[at] = updated
        if tables.missing_backoff:
            scores[_unseen(stream, k, at)] += tables.missing_backoff
        at = found.hit if at is None else at.take(found.hit)
        inside = len(at) - bool(len(at) and at[-1] == last)
        at = at[:inside] + 1
        contexts, backoffs = found.places[:inside], found.backoffs[:inside]
    return values


def _unseen(stream: np.ndarray, k: int, seen: np.ndarray | None) -> np.ndarray:
    """Which ids of stream[1:] have a context of k words that is not among the seen ones."""
    unseen = _words_before(stream)[1:] >= k
    unseen[slice(None) if seen is None else seen] = False
    return unseen


def _words_before(stream: np.ndarray) -> np.ndarray:
    """How many ids of its sentence stand before each id of a stream; `<bos>` counts."""
    index = np.arange(len(stream))
    return index - np.maximum.accumulate(np.where(stream == BOS, index, 0))


def target_log_probs(tables: NGramTables, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """log P(targets_t | inputs_1 ... inputs_t).

    Args:
        inputs, targets: ids [batch, time], right-padded.

    Returns:
        [batch, time] float32; 0 where the target is `<pad>`.
    """
    shape = targets.shape
    nodes = inputs.astype(np.int64)  # [batch, time]: the last k inputs, in level k
    values = tables.levels[0].log_prob[targets].astype(np.float32)
    for k in range(1, tables.order):
        above = tables.levels[k]
        found = find(tables, k, nodes.reshape(-1), targets.reshape(-1)).reshape(shape)
        first = shifted(inputs, k - 1, PAD)  # the context's first word
        values += context_backoffs(tables, k, nodes, first)
        values = np.where(found != above.missing, above.log_prob[found], values)
        if k + 1 < tables.order:
            before = shifted(nodes, 1, tables.levels[k - 1].missing)
            nodes = find(tables, k, before.reshape(-1), inputs.reshape(-1)).reshape(shape)
    return np.where(targets == PAD, np.float32(0.0), values)


def shifted(values: np.ndarray, steps: int, fill: int) -> np.ndarray:
    """[batch, time] moved `steps` to the right, `fill` at the left."""
    moved = np.full_like(values, fill)
    moved[:, steps:] = values[:, : values.shape[1] - steps]
    return moved


def context_backoffs(
    tables: NGramTables, k: int, nodes: np.ndarray, first_words: np.ndarray
) -> np.ndarray:
    """Backoffs of contexts of k words given as indices in level k; float32.

    A context that starts with `<pad>` is longer than its sentence and costs nothing.
    """
    level = tables.levels[k - 1]
    backoff = level.backoff[nodes].astype(np.float32)
    if tables.missing_backoff:
        unseen = (nodes == level.missing) & (first_words != PAD)
        backoff += np.where(unseen, np.float32(tables.missing_backoff), np.float32(0))
    return backoff


@dataclass(frozen=True)
class Contexts:
    """A batch of contexts, looked up.

    Attributes:
        nodes: for k = 1 ... order - 1, indices in level k of the last k words; [batch] each.
        weights: for k = 0 ... order - 1, what is added to a probability found after k words
            because no longer context has it; [batch] each.
    """

    nodes: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]


def look_up(tables: NGramTables, context: np.ndarray) -> Contexts:
    """Follow contexts through the levels.

    Args:
        context: ids [batch, order - 1], the last word last, `<pad>` before a sentence's start.
    """
    width = tables.order - 1
    columns = context.astype(np.int64)  # [batch, order - k]: k words that end in each column
    nodes, backoffs = [], []
    for k in range(1, tables.order):
        if k > 1:
            words = context[:, k - 1 :]
            before = columns[:, :-1].reshape(-1)
            columns = find(tables, k - 1, before, words.reshape(-1)).reshape(words.shape)
        nodes.append(columns[:, -1])
        backoffs.append(context_backoffs(tables, k, nodes[-1], context[:, width - k]))
    weights = [np.zeros(len(context), np.float32)]
    for backoff in reversed(backoffs):
        weights.insert(0, weights[0] + backoff)
    return Contexts(tuple(nodes), tuple(weights))


def distribution(tables: NGramTables, context: np.ndarray) -> np.ndarray:
    """The next word's log-probabilities [batch, vocabulary] after contexts [batch, order - 1]."""
    found = look_up(tables, context)
    values = tables.levels[0].log_prob[:-1].astype(np.float32) + found.weights[0][:, None]
    for k, nodes in enumerate(found.nodes, 1):
        above = tables.levels[k]
        begin = tables.levels[k - 1].begin
        rows, entries = expanded(begin[nodes], begin[nodes + 1])
        values[rows, above.words[entries]] = above.log_prob[entries] + found.weights[k][rows]
    return values


def expanded(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All indices of the slices first[i] ... last[i], and the i of each."""
    sizes = (last - first).astype(np.int64)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rows, within + first.astype(np.int64)[rows]
