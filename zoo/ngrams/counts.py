"""Counting every n-gram up to an order with one sort, in flat arrays.

A corpus is a stream of ids, sentence by sentence `<bos> w_1 ... w_n <eos>`. From every position
goes a window of `order` ids, cut at `<eos>` and filled with `<pad>`. In the sorted windows each
n-gram's occurrences stand side by side, and so do all n-grams with the same context: level k of
the result lists the distinct k-grams in that order, and the (k+1)-grams that continue a k-gram
are one slice of level k+1.

Counts are those of Chen and Goodman (1998) as KenLM takes them: nothing is counted across
sentences, and a sentence has one `<bos>`, whatever the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from zoo.errors import ZooError
from zoo.text import BOS, EOS, PAD

MAX_ORDER = 6


@dataclass(frozen=True)
class Level:
    """The distinct k-grams of a corpus, sorted, as arrays over the k-grams.

    Attributes:
        words: the last word of each.
        counts: how often each occurs; int64.
        parent: index of its first k-1 words in level k-1 (0 for k = 1).
        suffix: index of its last k-1 words in level k-1 (0 for k = 1).
        begins: whether its first word is `<bos>`.
    """

    words: np.ndarray
    counts: np.ndarray
    parent: np.ndarray
    suffix: np.ndarray
    begins: np.ndarray

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True)
class NGramCounts:
    """Counts of all n-grams of a corpus up to an order.

    Attributes:
        levels: the k-grams for k = 1 ... order.
        vocabulary_size: ids are below it.
        last: the n-gram that KenLM sorts last (see `last_ngram`), where the corpus's order of
            words is known.

    Example:
        >>> counts = NGramCounts.from_ids([4, 5, 3, 4, 5, 3], vocabulary_size=6, order=2)
        >>> counts.count([4, 5]), counts.count([5, 4]), counts.count([2])
        (2, 0, 2)
    """

    levels: tuple[Level, ...]
    vocabulary_size: int
    last: tuple[int, ...] = ()

    @property
    def order(self) -> int:
        return len(self.levels)

    @classmethod
    def from_ids(
        cls, ids: np.ndarray | Sequence[int], vocabulary_size: int, order: int
    ) -> NGramCounts:
        """Count a corpus given as ids with `<eos>` after each sentence and no `<bos>`.

        Raises:
            ZooError: an order outside 1 ... 6, an empty corpus or ids outside the vocabulary.
        """
        stream = stream_of(checked_ids(ids, vocabulary_size))
        rows, order = len(stream), checked_order(order)
        at = sorted_order(windows_of(stream, order), rows, vocabulary_size - 1)
        row_of = np.empty(rows + 1, at.dtype)
        row_of[at] = np.arange(rows, dtype=at.dtype)
        row_of[rows] = 0  # behind the last <eos>, where no window has a second word
        levels = levels_of(windows_of(stream, order, at), np.ones(rows, np.int64), row_of[at + 1])
        return cls(levels, vocabulary_size, last_ngram(stream, vocabulary_size, order))

    @classmethod
    def from_windows(
        cls, windows: np.ndarray, counts: np.ndarray, vocabulary_size: int
    ) -> NGramCounts:
        """Count from windows [n, order] and how often each occurs [n], in any order.

        This is how counts come back from several machines: a window is what `from_ids` takes from
        each position. The same window may come more than once.
        """
        windows, counts = np.asarray(windows), np.asarray(counts, np.int64)
        checked_ids(windows.reshape(-1), vocabulary_size)
        columns = [np.ascontiguousarray(column, np.int32) for column in windows.T]
        checked_order(len(columns))
        at = sorted_order(columns, len(counts), vocabulary_size - 1)
        columns = [column[at] for column in columns]
        suffixes = suffix_rows(columns, vocabulary_size)
        return cls(levels_of(columns, counts[at], suffixes), vocabulary_size)

    def count(self, ngram: Sequence[int]) -> int:
        """How often an n-gram of at most `order` ids occurs."""
        node = self.find(ngram)
        return 0 if node is None else int(self.levels[len(ngram) - 1].counts[node])

    def find(self, ngram: Sequence[int]) -> int | None:
        """Index of an n-gram in its level; None if it does not occur."""
        if not 1 <= len(ngram) <= self.order:
            raise ZooError(f"n-gram of {len(ngram)} words: these are counts of 1 to {self.order}")
        node = 0
        for level, word in zip(self.levels, ngram, strict=False):
            first, last = np.searchsorted(level.parent, [node, node + 1])
            node = int(first + np.searchsorted(level.words[first:last], word))
            if node == last or level.words[node] != word:
                return None
        return node

    def ngrams(self, k: int) -> np.ndarray:
        """The k-grams of level k as ids; [n, k] int32."""
        words = np.empty((len(self.levels[k - 1]), k), np.int32)
        index = np.arange(len(words))
        for column in range(k - 1, -1, -1):
            level = self.levels[column]
            words[:, column] = level.words[index]
            index = level.parent[index]
        return words


def stream_of(ids: np.ndarray) -> np.ndarray:
    """`<bos>` put before each sentence of ids that end in `<eos>`; int32."""
    starts = np.concatenate([[0], np.flatnonzero(ids == EOS)[:-1] + 1])
    return np.insert(ids, starts, BOS)


def checked_ids(ids: np.ndarray | Sequence[int], vocabulary_size: int) -> np.ndarray:
    """Ids as int32, or one line that says why they cannot be counted."""
    ids = np.asarray(ids, np.int32)
    if len(ids) == 0:
        raise ZooError("the corpus is empty: give at least one sentence")
    if ids.min() < 0 or ids.max() >= vocabulary_size:
        raise ZooError(f"ids {ids.min()} to {ids.max()}: give ids from 0 to {vocabulary_size - 1}")
    return ids


def checked_order(order: int) -> int:
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= MAX_ORDER:
        raise ZooError(f"order={order!r}: give a whole number from 1 to {MAX_ORDER}")
    return order


def last_ngram(stream: np.ndarray, vocabulary_size: int, order: int) -> tuple[int, ...]:
    """The last n-gram of a corpus when sorted by last word, word before it and so on.

    Words are in order of their first appearance, `<bos>` and `<eos>` before all. The n-gram has
    `order` words, or fewer where it starts with `<bos>`.
    """
    appearance = np.zeros(vocabulary_size, np.int64)
    appearance[stream[::-1]] = np.arange(len(stream), 0, -1)
    appearance[[BOS, EOS]] = 0
    words = [int(appearance.argmax()) if appearance.any() else EOS]
    ends = np.flatnonzero(stream == words[0])
    while len(words) < order and words[0] != BOS:
        before = stream[ends - len(words)]
        words.insert(0, int(before[appearance[before].argmax()]))
        ends = ends[before == words[0]]
    return tuple(words)


def windows_of(
    stream: np.ndarray, order: int, at: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """The first, second, ... words of the windows that start at the positions `at` (or at all).

    `<pad>` stands behind a window's `<eos>`.
    """
    padded = np.concatenate([stream, np.full(order, PAD, stream.dtype)])
    inside: np.ndarray | None = None
    for k in range(order):
        column = padded[k : k + len(stream)] if at is None else padded[at + k]
        if inside is not None:
            column = np.where(inside, column, PAD)
        yield column
        inside = (column != EOS) & (column != PAD)


def sorted_order(columns: Iterable[np.ndarray], rows: int, largest: int) -> np.ndarray:
    """The row numbers of windows, given by columns [rows], in the order of the windows.

    As many words (at most `largest`) as fit share a 64-bit key. Only rows that are equal so far
    are sorted by the next key; few are, as most windows of four words are unique in a corpus.
    """
    remaining = iter(columns)
    bits = max(int(largest).bit_length(), 1)
    rank_bits = int(rows).bit_length()
    key = _packed(islice(remaining, 64 // bits), rows, bits)
    at = np.argsort(key)
    ordered = key[at]
    new = np.append(True, ordered[1:] != ordered[:-1])  # differs from the row before
    while (words := list(islice(remaining, (64 - rank_bits) // bits))) and not new.all():
        tied = np.flatnonzero(~new | ~np.append(new[1:], True))
        among = at[tied]
        key = np.cumsum(new[tied]).astype(np.uint64) << np.uint64(bits * len(words))
        key |= _packed((column[among] for column in words), len(tied), bits)
        by_key = np.argsort(key)
        at[tied] = among[by_key]
        ordered = key[by_key]
        new[tied] = np.append(True, ordered[1:] != ordered[:-1])
    return at.astype(np.int32) if rows < 2**31 - MAX_ORDER else at


def _packed(columns: Iterable[np.ndarray], rows: int, bits: int) -> np.ndarray:
    """Words side by side in one number, the first word highest; [rows] uint64."""
    key = np.zeros(rows, np.uint64)
    for column in columns:
        key <<= np.uint64(bits)
        key |= column.astype(np.uint64)
    return key


def suffix_rows(columns: Sequence[np.ndarray], vocabulary_size: int) -> np.ndarray:
    """For each of the sorted windows, one that starts with its words from the second on.

    Raises:
        ZooError: there is none: the windows are not those of whole sentences.
    """
    rows = len(columns[0])
    tails = [*columns[1:], np.full_like(columns[0], PAD)]
    both = [np.concatenate([tail, column]) for tail, column in zip(tails, columns, strict=True)]
    is_window = np.repeat([0, 1], rows)
    # A tail's last word is <pad>, the smallest id, and equal windows sort behind it: the number
    # of windows before a tail is the index of the first window that starts with it.
    by_window = sorted_order([*both, is_window], 2 * rows, max(vocabulary_size - 1, 1))
    found = np.empty(2 * rows, np.int64)
    found[by_window] = np.cumsum(is_window[by_window])
    found = found[:rows]
    has_tail = tails[0] != PAD
    first = np.where(has_tail, np.minimum(found, rows - 1), 0)
    for column, tail in zip(columns[:-1], tails[:-1], strict=True):
        if np.any(has_tail & (column[first] != tail)):
            raise ZooError("the windows are incomplete: some n-gram's last words have no window")
    return first


def levels_of(
    columns: Iterable[np.ndarray], counts: np.ndarray, suffix_row: np.ndarray
) -> tuple[Level, ...]:
    """Levels from sorted windows.

    Args:
        columns: the windows' first, second, ... words, each [rows].
        counts: how often each row occurs; [rows].
        suffix_row: for each row, a row that starts with its words from the second on.
    """
    rows = len(counts)
    total = np.concatenate([[0], np.cumsum(counts)])
    new = np.zeros(rows, bool)  # where the first k words differ from those of the row before
    new[0] = True
    node_of = np.zeros(rows, np.int32)  # each row's index in the level before
    begins = np.zeros(0, bool)
    levels: list[Level] = []
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
        starts = np.flatnonzero(new)
        occurrences = np.diff(total[np.append(starts, rows)])
        kept = column[starts] != PAD
        starts = starts[kept]
        if not levels:
            begins = column == BOS
        suffix = node_of[suffix_row[starts]]
        levels.append(
            Level(column[starts], occurrences[kept], node_of[starts], suffix, begins[starts])
        )
        marks = np.zeros(rows, np.int32)
        marks[starts] = 1
        node_of = np.cumsum(marks, dtype=np.int32) - 1
    return tuple(levels)
