"""What every model that fills a blank can do: a word from all the others of its sentence."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from zoo.errors import ZooError
from zoo.models.base import PresetModel
from zoo.models.checks import batches, checked_count, checked_texts
from zoo.models.language_model import SPECIALS, likeliest
from zoo.models.results import WORD_COLUMNS, Results
from zoo.text import BOS, EOS, Tokenizer
from zoo.text.padding import pad

BLANK = re.compile("_{3,}")
HIDDEN_SHARE = 0.2  # of the words, hidden at a time where directions mix


class Cloze(PresetModel):
    """Base of the models that fill blanks; a family gives `fill_log_probs`."""

    tokenizer: Tokenizer

    @abstractmethod
    def fill_log_probs(
        self, ids: np.ndarray, lengths: np.ndarray, positions: np.ndarray
    ) -> np.ndarray:
        """Log-probabilities [batch, vocabulary] of the word at one position of each row.

        Args:
            ids: [batch, time] int32, `<bos>` first, `<eos>` last, right-padded; what stands at
                the position is not looked at.
            lengths: [batch] int32, with both ends.
            positions: [batch] int32.
        """

    def fill(self, texts: Sequence[str], k: int = 10) -> list[list[tuple[str, float]]]:
        """The k likeliest words for the one `___` of each text, with their probabilities.

        Raises:
            ZooError: a text has no blank, or more than one.
        """
        texts = checked_texts(texts)
        rows = [self.split_at_blank(text) for text in texts]
        k = checked_count("k", k, self.tokenizer.vocabulary_size - len(SPECIALS))
        answers: list[list[tuple[str, float]]] = []
        for chunk in batches(rows):
            ids, lengths = pad([row for row, _ in chunk])
            positions = np.array([position for _, position in chunk], dtype=np.int32)
            log_probs = self.fill_log_probs(ids, lengths, positions)
            answers += [likeliest(row, k, self.tokenizer.vocabulary) for row in log_probs]
        return Results(answers, texts, WORD_COLUMNS)

    def split_at_blank(self, text: str) -> tuple[list[int], int]:
        """A text with one `___` as ids with a placeholder, and the placeholder's position."""
        parts = BLANK.split(text)
        if len(parts) != 2:
            raise ZooError(f"{text!r:.80} has {len(parts) - 1} blanks; write exactly one as ___")
        left, right = (self.tokenizer.encode(part) for part in parts)
        return [BOS, *left, BOS, *right, EOS], len(left) + 1


def hidden_words(
    words: np.ndarray, rng: np.random.Generator, share: float = HIDDEN_SHARE
) -> np.ndarray:
    """Which words a training step hides: a random share, at least one a text.

    Args:
        words: [batch, time], above 0 at words.
        rng: decides which.
        share: of the words.

    Returns:
        [batch, time] bool.
    """
    draws = np.where(words > 0, rng.random(words.shape), 2.0)
    chosen = (draws < share) | (draws == draws.min(axis=1, keepdims=True))
    return chosen & (draws < 1.0)
