"""Whole sentences, many at a time: ids with `<eos>` after each sentence, as a corpus has them."""

from __future__ import annotations

import numpy as np

from zoo.ngrams import query
from zoo.ngrams.counts import stream_of
from zoo.ngrams.tables import NGramTables
from zoo.text import BOS, EOS, PAD


def sentence_log_probs(tables: NGramTables, ids: np.ndarray) -> np.ndarray:
    """Each sentence's log-probability, `<eos>` included; [sentences] float64."""
    stream = stream_of(ids)
    values = query.stream_log_probs(tables, stream).astype(np.float64)
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


def unseen_event(
    tables: NGramTables, ids: np.ndarray, log_probs: np.ndarray
) -> tuple[list[int], int]:
    """The context and the word of the first event of probability 0."""
    ends = np.flatnonzero(ids == EOS)
    sentence = int(np.isneginf(log_probs).argmax())
    start = int(ends[sentence - 1]) + 1 if sentence else 0
    stream = stream_of(ids[start : ends[sentence] + 1])
    values = query.stream_log_probs(tables, stream)
    place = int(np.isneginf(values[1:]).argmax()) + 1
    context = stream[max(0, place + 1 - tables.order) : place]
    return [int(i) for i in context], int(stream[place])
