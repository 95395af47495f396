"""Is the file right? Each one is loaded again and compared with the Python model, word by word.

Without a text the words are sampled from the model itself, so every export can be checked; a text
of the corpus tells more about quality and is what published figures should use.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo import decoding
from zoo.models.language_model import SPECIALS, batches
from zoo.text import BOS, EOS, PAD, UNK
from zoo.text.padding import pad

WORDS = 2_000
OFFERED = (1, 3)
ROWS = 64
IMPOSSIBLE = -1e30  # below: log 0, which the converter writes as the lowest float32
Rows = list[list[int]]


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
    asked: int = 0
    hits: dict[int, int] = field(default_factory=lambda: dict.fromkeys(OFFERED, 0))

    def add(self, target: int, offered: Sequence[int]) -> None:
        """Count one next word, as `zoo.metrics.NextWordRecall` does."""
        if target == EOS:
            return
        self.asked += 1
        for k in OFFERED:
            self.hits[k] += target != UNK and target in offered[:k]

    def values(self) -> dict[str, float]:
        mean_nats = -self.log_prob / max(self.tokens, 1)
        perplexity = math.exp(mean_nats) if mean_nats < 700 else math.inf
        recalls = {f"recall@{k}": hit / max(self.asked, 1) for k, hit in self.hits.items()}
        return {"perplexity": perplexity, **recalls}


def sampled_sentences(model: Any, words: int = WORDS, longest: int = 40, seed: int = 1) -> Rows:
    """Sentences sampled from a language model, as word ids, at least `words` of them."""
    sentences: Rows = []
    while sum(map(len, sentences)) < words:
        first = np.full(ROWS, BOS, np.int32)
        state = model.initial_state(ROWS)
        ids = model.continued(state, first, decoding.Sample(), longest, seed + len(sentences))
        sentences += [until_end(row) for row in np.asarray(ids).tolist()]
    return sentences


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
class Pairs:
    """The model's and the file's answers to the same questions."""

    model: Tally = field(default_factory=Tally)
    file: Tally = field(default_factory=Tally)
    differences: list[float] = field(default_factory=lambda: [0.0])

    def add(self, target: int, expected: np.ndarray, answer: dict[str, np.ndarray]) -> None:
        """One next word: the model's distribution and the words that the file offers."""
        self.add_recall(target, expected, answer)
        self.add_offered(expected, answer)

    def add_recall(self, target: int, expected: np.ndarray, answer: dict[str, np.ndarray]) -> None:
        """Whether each of the two offers the word; a translation's file offers `<eos>` besides."""
        self.model.add(target, likeliest_ids(expected))
        self.file.add(target, [i for i in answer["ids"][0].tolist() if i != EOS])

    def add_offered(self, expected: np.ndarray, answer: dict[str, np.ndarray]) -> None:
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


def compare_language_model(lite: Any, interpreter: Any, sentences: Rows) -> Check:
    """Every signature of the file against the model, on whole sentences."""
    step, prefill, score = (
        interpreter.get_signature_runner(name) for name in ("step", "prefill", "score")
    )
    pairs = Pairs()
    rows = lite.contexts(enough(sentences))
    scores = lite.python_model.score_ids([row[1:-1] for row in rows])
    for own, (row, expected) in zip(
        scores, model_distributions(lite.python_model, rows), strict=True
    ):
        answer = prefill(**lite.feeds(row[:1]))
        for t, target in enumerate(row[1:]):
            pairs.add(target, expected[t], answer)
            state = {name: v for name, v in answer.items() if name.startswith("state_")}
            answer = step(token_id=np.array([target], np.int32), **state)
        pairs.add_offered(expected[len(row) - 2], prefill(**lite.feeds(row[:-1])))
        pairs.add_score(own, float(score(**lite.feeds(row))["log_prob"][0]), len(row) - 1)
    return pairs.check()


def random_sentences(vocabulary: int, words: int = WORDS, seed: int = 1) -> Rows:
    """Words by chance, for models that cannot write their own."""
    draw = np.random.default_rng(seed)
    first = min(len(SPECIALS), vocabulary - 1)
    lengths = draw.integers(3, 10, -(-words // 3))
    return [draw.integers(first, vocabulary, length).tolist() for length in lengths]


def model_distributions(model: Any, rows: Rows) -> Iterator[tuple[list[int], np.ndarray]]:
    """Each row with the model's log-probabilities [len(row) - 1, vocabulary] of its next words."""
    for chunk in batches(rows, ROWS):
        filled = [*chunk, *([[BOS, EOS]] * (ROWS - len(chunk)))]  # one batch size, one graph
        ids, _ = pad(filled)
        state = model.initial_state(ROWS)
        steps = []
        for t in range(max(map(len, chunk)) - 1):
            log_probs, state = model.step(ids[:, t], state)
            steps.append(np.asarray(log_probs)[: len(chunk)])
        for i, row in enumerate(chunk):
            yield row, np.stack([values[i] for values in steps[: len(row) - 1]])


def likeliest_ids(log_probs: np.ndarray) -> list[int]:
    """The words a model offers first; equal ones in the vocabulary's order."""
    offered = log_probs[len(SPECIALS) :]
    count = min(max(OFFERED), len(offered))
    last = np.partition(offered, -count)[-count]
    best = np.flatnonzero(offered >= last)  # all that tie with the last of them, too
    return (best[np.argsort(-offered[best], kind="stable")][:count] + len(SPECIALS)).tolist()


def largest_difference(left: Any, right: Any) -> float:
    """Largest difference of numbers, where what is impossible in both does not differ."""
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    same = (left == right) | ((left < IMPOSSIBLE) & (right < IMPOSSIBLE))
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0.0, np.abs(left - right))))
