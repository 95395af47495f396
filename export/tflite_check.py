"""Is the file right? Each one is loaded again and compared with the Python model, word by word.

Without a text the words are drawn from the model itself, so every export can be checked; a text of
the corpus tells more about quality and is what published figures should use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo import decoding
from zoo.models.language_model import SPECIALS, batches, pad
from zoo.text import BOS, EOS, PAD, UNK

WORDS = 2_000
OFFERED = (1, 3)
ROWS = 64
Rows = list[list[int]]


@dataclass(frozen=True)
class Check:
    """How far a file is from its model.

    Attributes:
        max_abs_diff: largest difference of a log-probability or score.
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
        perplexity = float(np.exp(-self.log_prob / max(self.tokens, 1)))
        recalls = {f"recall@{k}": hit / max(self.asked, 1) for k, hit in self.hits.items()}
        return {"perplexity": perplexity, **recalls}


def drawn_sentences(model: Any, words: int = WORDS, longest: int = 40, seed: int = 1) -> Rows:
    """Sentences drawn from a language model, as word ids, at least `words` of them."""
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


def compare_language_model(lite: Any, interpreter: Any, sentences: Rows) -> Check:
    """Every signature of the file against the model, on whole sentences."""
    step, prefill, score = (
        interpreter.get_signature_runner(name) for name in ("step", "prefill", "score")
    )
    ours, theirs = Tally(), Tally()
    differences = [0.0]
    rows = lite.contexts(enough(sentences))
    for row, expected in model_distributions(lite.python_model, rows):
        answer = prefill(**lite.feeds(row[:1]))
        for t, target in enumerate(row[1:]):
            ours.log_prob += float(expected[t, target])
            ours.add(target, likeliest_ids(expected[t]))
            theirs.add(target, answer["ids"][0].tolist())
            differences.append(offered_difference(answer, expected[t]))
            state = {name: v for name, v in answer.items() if name.startswith("state_")}
            answer = step(token_id=np.array([target], np.int32), **state)
        at_once = prefill(**lite.feeds(row[:-1]))
        differences.append(offered_difference(at_once, expected[len(row) - 2]))
        total = float(score(**lite.feeds(row))["log_prob"][0])
        own = float(sum(expected[t, target] for t, target in enumerate(row[1:])))
        differences.append(largest_difference(total, own))
        theirs.log_prob += total
        ours.tokens += len(row) - 1
    theirs.tokens = ours.tokens
    model, file = ours.values(), theirs.values()
    measures = {name: (model[name], file[name]) for name in model}
    return Check(float(np.max(differences)), ours.tokens, measures)


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
    """The words a model offers first."""
    offered = log_probs[len(SPECIALS) :]
    count = min(max(OFFERED), len(offered))
    best = np.argpartition(-offered, count - 1)[:count]
    return (best[np.argsort(-offered[best], kind="stable")] + len(SPECIALS)).tolist()


def offered_difference(answer: dict[str, np.ndarray], expected: np.ndarray) -> float:
    """Largest difference of the offered words' log-probabilities."""
    return largest_difference(answer["log_probs"][0], expected[answer["ids"][0]])


def largest_difference(left: Any, right: Any) -> float:
    """Largest difference of numbers, where equal infinities do not differ."""
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    same = left == right
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0.0, np.abs(left - right))))
