"""Whole next words of a model whose tokens are pieces of words.

P(w | text) = Π_i P(piece_i | text, piece_1 ... piece_{i-1}) · P(no further piece | ...): a word has
ended where what follows does not continue it. The likeliest are found by a beam over pieces; a
prefix keeps only beginnings that agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.selection import best_places
from zoo.text import EOS, PAD
from zoo.types import ModelState

CONTINUES = "##"
BEAM, MOST_PIECES = 32, 12

Step = Callable[[np.ndarray, ModelState], tuple[Any, ModelState]]


class Beginning(NamedTuple):
    """A word's pieces so far: the text, the log-probability, where its state is, its last piece."""

    text: str
    log_prob: float
    row: int
    piece: int


class Pieces:
    """The pieces of a vocabulary: which continue a word, and which agree with a prefix."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.continues = np.array([piece.startswith(CONTINUES) for piece in vocabulary])
        self.texts = [piece.removeprefix(CONTINUES) for piece in vocabulary]
        self.are_text = np.arange(len(self.texts)) > EOS
        self._agreeing: dict[str, np.ndarray] = {}

    def agree(self, rest: str) -> np.ndarray:
        """Which pieces may stand where `rest` is still to come of a prefix; [vocabulary] bool."""
        found = self._agreeing.get(rest)
        if found is None:
            fits = [text.startswith(rest) or rest.startswith(text) for text in self.texts]
            found = self._agreeing[rest] = np.array(fits) & self.are_text
        return found


def next_whole_words(
    step: Step, log_probs: np.ndarray, state: ModelState, pieces: Pieces, k: int, prefix: str
) -> list[tuple[str, float]]:
    """The k likeliest words after one text, with their probabilities.

    Args:
        step: the model's; called with BEAM rows.
        log_probs: of the next piece, [vocabulary].
        state: after the text, one row.
        pieces: of the model's vocabulary.
        k, prefix: as in `LanguageModel.next_words`.
    """
    first = np.where(~pieces.continues & pieces.agree(prefix), log_probs, -np.inf)
    open_words = [
        Beginning(pieces.texts[i], float(first[i]), 0, int(i))
        for i in best_places(first, min(BEAM, len(first)))
        if np.isfinite(first[i])
    ]
    done: dict[str, float] = {}
    for _ in range(MOST_PIECES):
        if not open_words or _settled(done, open_words, k):
            break
        rows, state = _advance(step, open_words, state)
        longer = []
        for i, (word, row) in enumerate(zip(open_words, rows, strict=False)):
            ended = np.logaddexp.reduce(row[~pieces.continues])
            if word.text.startswith(prefix):
                total = word.log_prob + float(ended)
                done[word.text] = float(np.logaddexp(done.get(word.text, -np.inf), total))
            longer += _continued(word, i, row, pieces, prefix[len(word.text) :])
        open_words = sorted(longer, key=lambda word: -word.log_prob)[:BEAM]
    best = sorted(done.items(), key=lambda item: -item[1])[:k]
    return [(text, float(np.exp(log_prob))) for text, log_prob in best]


def _settled(done: dict[str, float], open_words: Sequence[Beginning], k: int) -> bool:
    """Whether no open word can still be among the best k."""
    best = sorted(done.values(), reverse=True)[:k]
    return len(best) == k and best[-1] >= max(word.log_prob for word in open_words)


def _advance(
    step: Step, open_words: Sequence[Beginning], state: ModelState
) -> tuple[np.ndarray, ModelState]:
    """One step of all open words, filled up to BEAM rows: one graph serves every number."""
    missing = BEAM - len(open_words)
    places = np.array([word.row for word in open_words] + [0] * missing)
    last = np.array([word.piece for word in open_words] + [PAD] * missing, np.int32)
    rows, state = step(last, {name: np.asarray(v)[places] for name, v in state.items()})
    return np.asarray(rows, np.float64), state


def _continued(
    word: Beginning, row: int, log_probs: np.ndarray, pieces: Pieces, rest: str
) -> list[Beginning]:
    """The likeliest ways to go on with a word."""
    values = np.where(pieces.continues & pieces.agree(rest), log_probs, -np.inf)
    return [
        Beginning(word.text + pieces.texts[i], word.log_prob + float(values[i]), row, int(i))
        for i in best_places(values, min(BEAM, len(values)))
        if np.isfinite(values[i])
    ]
