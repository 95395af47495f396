"""Is the file right? Each one is loaded again and compared with the Python model, word by word.

Without a text the words are sampled from the model itself, so every export can be checked; a text
of the corpus tells more about quality and is what published figures should use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from zoo import decoding
from zoo.metrics import NextWordRecall, perplexity
from zoo.models.language_model import SPECIALS, LanguageModel
from zoo.text import BOS, EOS, PAD

WORDS = 2_000
OFFERED = (1, 3)
ROWS = 64
IMPOSSIBLE = -1e30  # below: log 0, which the converter writes as the lowest float32
Rows: TypeAlias = list[list[int]]
Outputs: TypeAlias = dict[str, np.ndarray]


@dataclass(frozen=True)
class Check:
    """How far a file is from its model.

    Attributes:
        max_abs_diff: largest difference of a word's log-probability, and of a text's per word.
        words: how many words it was measured on.
        measures: name -> (model, file), such as perplexity and recall.
    """

    max_abs_diff: float
    words: int = 0
    measures: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __str__(self) -> str:
        changes = [
            f"{name} {model:.4g} -> {file:.4g}" for name, (model, file) in self.measures.items()
        ]
        return "; ".join([f"largest difference {self.max_abs_diff:.2g}", *changes]) + (
            f" ({self.words:,} words)"
        )


@dataclass
class Tally:
    """Sums over words: log-probabilities, and whether the word was among those offered."""

    log_prob: float = 0.0
    tokens: int = 0
    recalls: dict[int, NextWordRecall] = field(
        default_factory=lambda: {k: NextWordRecall(k) for k in OFFERED}
    )
    waiting: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def add(self, target: int, predictions: np.ndarray) -> None:
        """Count one next word; predictions [vocabulary] of which the order matters."""
        self.waiting.append((target, predictions))
        if len(self.waiting) == ROWS:  # the metric takes as long for one word as for many
            self.count()

    def count(self) -> None:
        """Bring the recalls up to the last word."""
        if self.waiting:
            targets, predictions = zip(*self.waiting, strict=True)
            for recall in self.recalls.values():
                recall.update_state(np.array([targets]), np.stack(predictions)[np.newaxis])
            self.waiting.clear()

    @property
    def asked(self) -> int:
        """How many words were asked for: all but `<eos>`."""
        self.count()
        return int(self.recalls[OFFERED[0]].asked)

    def values(self) -> dict[str, float]:
        self.count()
        recalls = {f"recall@{k}": float(recall.result()) for k, recall in self.recalls.items()}
        return {"perplexity": perplexity(-self.log_prob, max(self.tokens, 1)), **recalls}


def as_predictions(offered: Sequence[int] | np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Numbers [vocabulary] in whose order the offered ids come first, best first."""
    predictions = np.full(vocabulary_size, -np.inf, np.float32)
    predictions[np.asarray(offered, np.int64)] = -np.arange(len(offered))
    return predictions


def sampled_sentences(
    model: LanguageModel, words: int = WORDS, longest: int = 40, seed: int = 1
) -> Rows:
    """Sentences sampled from a language model, as word ids, at least `words` of them."""
    sentences: Rows = []
    while sum(map(len, sentences)) < words:
        start = np.full(ROWS, BOS, np.int32)
        state = model.initial_state(ROWS)
        ids = model.continued(state, start, decoding.Sample(), longest, seed + len(sentences))
        sentences += [until_end(row) for row in np.asarray(ids).tolist()]
    return sentences


def random_sentences(vocabulary: int, words: int = WORDS, seed: int = 1) -> Rows:
    """Words by chance, for models that cannot write their own."""
    rng = np.random.default_rng(seed)
    first = min(len(SPECIALS), vocabulary - 1)
    lengths = rng.integers(3, 10, -(-words // 3))
    return [rng.integers(first, vocabulary, length).tolist() for length in lengths]


def until_end(ids: Iterable[int]) -> list[int]:
    """Ids in front of `<eos>` or padding."""
    kept: list[int] = []
    for i in ids:
        if i in (EOS, PAD):
            break
        kept.append(int(i))
    return kept


def enough(rows: Rows, words: int = WORDS) -> Rows:
    """The first rows that hold so many words."""
    kept: Rows = []
    for row in rows:
        if sum(map(len, kept)) >= words:
            break
        kept.append(row)
    return kept


@dataclass
class Comparison:
    """The model's and the file's answers to the same questions."""

    model: Tally = field(default_factory=Tally)
    file: Tally = field(default_factory=Tally)
    differences: list[float] = field(default_factory=lambda: [0.0])

    def add(self, target: int, expected: np.ndarray, answer: Outputs) -> None:
        """One next word: the model's distribution and the words that the file offers."""
        self.add_recall(target, expected, answer)
        self.add_offered(expected, answer)

    def add_recall(self, target: int, expected: np.ndarray, answer: Outputs) -> None:
        """Whether each of the two offers the word."""
        self.model.add(target, expected)
        self.file.add(target, as_predictions(answer["ids"][0], len(expected)))

    def add_offered(self, expected: np.ndarray, answer: Outputs) -> None:
        """The log-probabilities of the words that the file offers."""
        difference = largest_difference(answer["log_probs"][0], expected[answer["ids"][0]])
        self.differences.append(difference)

    def add_score(self, expected: float, answered: float, tokens: int) -> None:
        """A log-probability of so many tokens."""
        self.model.log_prob += expected
        self.file.log_prob += answered
        self.model.tokens += tokens
        self.file.tokens += tokens
        self.add_text(expected, answered, tokens)

    def add_text(self, expected: float, answered: float, tokens: int) -> None:
        """A sum over so many tokens, whose rounding grows with their number."""
        self.differences.append(largest_difference(answered, expected) / max(tokens, 1))

    def check(self) -> Check:
        model, file = self.model.values(), self.file.values()
        measures = {name: (model[name], file[name]) for name in model}
        return Check(float(np.max(self.differences)), self.model.asked, measures)


def largest_difference(left: float | np.ndarray, right: float | np.ndarray) -> float:
    """Largest difference of numbers, where what is impossible in both does not differ."""
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    same = (left == right) | ((left < IMPOSSIBLE) & (right < IMPOSSIBLE))
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0.0, np.abs(left - right))))
