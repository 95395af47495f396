"""Whole sentences, many at a time: ids with `<eos>` after each sentence, as a corpus has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from zoo.ngrams import query
from zoo.ngrams.corpus import Encoder
from zoo.ngrams.counts import stream_of
from zoo.ngrams.index.index import PAYS_AFTER, HashFinder
from zoo.ngrams.tables import NGramTables
from zoo.processors import usable_cores
from zoo.text import BOS, EOS, PAD, UNK, Tokenizer

CHUNK = 500  # sentences at a time at least: fewer do not pay for a thread
LARGEST_CHUNK = 20_000  # and at most, as a chunk's arrays are many times its text
CPUS = usable_cores()
Scores = tuple[np.ndarray, np.ndarray, np.ndarray]
Item = TypeVar("Item")
Result = TypeVar("Result")


class SentenceScorer:
    """Scores sentences in chunks on all processors; makes a hash index once that pays.

    Args:
        tables: the model.
        tokenizer: gives the ids.
    """

    def __init__(self, tables: NGramTables, tokenizer: Tokenizer) -> None:
        self.tables = tables
        self.encode = Encoder(tokenizer)
        self.tokens = 0  # scored so far
        self.find: HashFinder | None = None

    def make_index(self) -> None:
        """Make the index now; it stays in memory with the scorer."""
        if self.find is None:
            self.find = HashFinder(self.tables)

    def __call__(self, texts: Sequence[str]) -> Scores:
        """Log-probabilities [sentences], tokens with `<eos>`, and unknown words."""
        if self.tokens > PAYS_AFTER * self.tables.entries:
            self.make_index()
        size = min(max(CHUNK, -(-len(texts) // CPUS)), LARGEST_CHUNK)
        chunks = [texts[i : i + size] for i in range(0, len(texts), size)]
        columns = zip(*in_parallel(self._chunk, chunks), strict=True)
        log_probs, tokens, unknown = (np.concatenate(column) for column in columns)
        self.tokens += int(tokens.sum())
        return log_probs, tokens, unknown

    def _chunk(self, texts: Sequence[str]) -> Scores:
        ids = self.encode(texts)
        ends = np.flatnonzero(ids == EOS)
        tokens = np.diff(ends, prepend=-1)
        unknown = np.add.reduceat(ids == UNK, ends - tokens + 1, dtype=np.int64)
        return sentence_log_probs(self.tables, ids, self.find), tokens, unknown


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`function` of each item, on threads where there are several: NumPy releases the GIL."""
    workers = min(CPUS, len(items))
    if workers < 2:
        return _mapped(function, items)
    shares = [items[i::workers] for i in range(workers)]
    with ThreadPoolExecutor(workers - 1) as threads:  # the calling thread does its share
        others = [threads.submit(_mapped, function, share) for share in shares[1:]]
        done = [_mapped(function, shares[0]), *(other.result() for other in others)]
    return [done[i % workers][i // workers] for i in range(len(items))]


def _mapped(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [function(item) for item in items]


def sentence_log_probs(
    tables: NGramTables, ids: np.ndarray, lookup: query.Lookup | None = None
) -> np.ndarray:
    """Each sentence's log-probability, `<eos>` included; [sentences] float64."""
    stream = stream_of(ids)
    values = query.stream_log_probs(tables, stream, lookup).astype(np.float64)
    starts = np.flatnonzero(stream == BOS)
    values[starts] = 0.0
    return np.add.reduceat(values, starts)


def contexts_of(ids: np.ndarray, order: int) -> np.ndarray:
    """What stands before each sentence's `<eos>`: [sentences, order - 1], `<pad>` at the left."""
    ends = np.flatnonzero(ids == EOS)
    lengths = np.diff(ends, prepend=-1)  # of <bos> and the words
    columns = np.arange(1 - order, 0) + lengths[:, None]  # places in <bos> w_1 ... w_n
    places = np.maximum(ends[:, None] - lengths[:, None] + columns, 0)
    words = np.where(columns == 0, BOS, ids[places])
    return np.where(columns < 0, PAD, words).astype(np.int32)


def describe_unseen(tables: NGramTables, tokenizer: Tokenizer, sentence: str) -> str:
    """The first word of probability 0 in a sentence, and the words before it."""
    context, word = unseen_event(tables, Encoder(tokenizer)([sentence]))
    names = tokenizer.vocabulary
    return f"{names[word]!r} after {' '.join(names[i] for i in context)!r}"


def unseen_event(tables: NGramTables, ids: np.ndarray) -> tuple[list[int], int]:
    """The context and the word of the first event of probability 0 in a sentence."""
    stream = stream_of(ids)
    values = query.stream_log_probs(tables, stream)
    place = int(np.isneginf(values[1:]).argmax()) + 1
    context = stream[max(0, place + 1 - tables.order) : place]
    return [int(i) for i in context], int(stream[place])
