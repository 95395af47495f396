"""The likeliest next words without the whole distribution.

Where a longer context never makes a word less likely than the shorter one (backed off) does, the
k likeliest words are among the k likeliest followers of each context and the k likeliest words
overall: only slices of the tables are looked at, never the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.ngrams import query
from zoo.ngrams.tables import NGramTables, TableLevel
from zoo.selection import best_places

TOLERANCE = 1e-4  # of float32 log-probabilities


class TopWords:
    """Finds the likeliest next words of a model.

    Args:
        tables: the model.
        forbidden: ids that are never offered.
    """

    def __init__(self, tables: NGramTables, forbidden: Sequence[int]) -> None:
        self.tables = tables
        self.forbidden = np.asarray(forbidden)
        self.monotone = tables.monotone
        unigrams = np.asarray(tables.levels[0].log_prob[:-1], np.float32)
        self.by_probability = np.argsort(-unigrams, kind="stable")

    def __call__(self, context: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """The k likeliest words after each context.

        Args:
            context: ids [batch, order - 1].
            k: how many.

        Returns:
            For each row ids and log-probabilities, best first, equal ones by id.
        """
        if not self.monotone:
            rows = query.distribution(self.tables, context)
            return [self._best(np.arange(len(row)), row, k) for row in rows]
        found = query.look_up(self.tables, context)
        return [self._among_followers(found, row, k) for row in range(len(context))]

    def _among_followers(
        self, found: query.Contexts, row: int, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        wanted = k + len(self.forbidden)
        words, values = [], []
        for length in range(len(found.nodes), 0, -1):
            node = found.nodes[length - 1][row]
            begin = self.tables.levels[length - 1].begin
            slice_words, slice_values = likeliest_of(
                self.tables.levels[length], int(begin[node]), int(begin[node + 1]), wanted
            )
            words.append(slice_words)
            values.append(slice_values + found.weights[length][row])
        overall = self.by_probability[:wanted]
        words.append(overall)
        values.append(self.tables.levels[0].log_prob[overall] + found.weights[0][row])
        # The longest context comes first, and the first of a word's values is the one that counts.
        unique, first = np.unique(np.concatenate(words), return_index=True)
        return self._best(unique, np.concatenate(values)[first], k)

    def _best(self, words: np.ndarray, values: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        offered = ~np.isin(words, self.forbidden)
        words, values = words[offered], values[offered].astype(np.float32)
        best = best_places(values, k)  # words are in the order of their ids
        return words[best], values[best]


def likeliest_of(level: TableLevel, first: int, last: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Words and log-probabilities of the k likeliest entries of a slice, in no order."""
    words, values = level.words[first:last], level.log_prob[first:last]
    if last - first > k:
        best = np.argpartition(values, last - first - k)[-k:]
        words, values = words[best], values[best]
    return words, values


def is_monotone(tables: NGramTables) -> bool:
    """Whether no entry is less likely than what the shorter context and the backoff would give.

    Interpolated estimates are so by their formula; this looks at every entry of other tables.
    """
    suffix = np.arange(tables.vocabulary_size)  # of each entry, its words but the first
    for k in range(1, tables.order):
        level, above = tables.levels[k - 1], tables.levels[k]
        parent = np.repeat(np.arange(len(level)), np.diff(level.begin[:-1]))
        words = above.words[:-1].astype(np.int64)
        lower = words if k == 1 else query.find(tables, k - 1, suffix[parent], words)
        if np.any(lower == level.missing):
            return False
        backed_off = level.backoff[parent].astype(np.float32) + level.log_prob[lower]
        if np.any(above.log_prob[:-1] < backed_off - TOLERANCE):
            return False
        suffix = lower
    return True
