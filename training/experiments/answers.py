"""How well a blank is filled: recall and probability of the right word, of networks and counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from training.experiments.config import ExperimentConfig, Network
from training.experiments.stories import Stories, StoryTeller
from zoo.models import NGramLanguageModel
from zoo.text import BOS
from zoo.text.padding import pad

COUNTED_STORIES = 20_000


class Answers(NamedTuple):
    """Over one distance's texts.

    Attributes:
        recall: share in which the right word is the likeliest.
        probability: mean probability of the right word.
    """

    recall: float
    probability: float

    @classmethod
    def of(cls, log_probs: np.ndarray, right: np.ndarray) -> Self:
        """Of log-probabilities `[texts, words]` and the right words `[texts]`."""
        given = np.exp(log_probs[np.arange(len(right)), right].astype(np.float64))
        return cls(float((log_probs.argmax(axis=1) == right).mean()), float(given.mean()))


def log_softmax(scores: np.ndarray) -> np.ndarray:
    scores = scores - scores.max(axis=1, keepdims=True)
    logs: np.ndarray = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return logs


def by_distance_row(answers: Mapping[int, Answers], teller: StoryTeller) -> dict[str, Any]:
    """A row's figures, by the number of words between the name and the blank."""
    return {
        "recall": {str(d): round(answer.recall, 4) for d, answer in answers.items()},
        "probability": {str(d): round(answer.probability, 4) for d, answer in answers.items()},
        "chance": round(teller.chance, 4),
    }


def counted_row(
    config: ExperimentConfig, name: str, network: Network, teller: StoryTeller,
    tests: Mapping[int, Stories],
) -> dict[str, Any]:  # fmt: skip
    """N-grams of whole texts, counted instead of trained."""
    options = dict(network.options)
    count = options.pop("stories", COUNTED_STORIES)
    rng = np.random.default_rng(config.seed)
    span = min(config.distances), max(config.distances) + 1
    told = [teller.text(int(rng.integers(*span)), rng) for _ in range(count)]
    texts = [f"{text} {answer} {teller.tale.end}" for text, answer in told]
    started = time.perf_counter()
    model = NGramLanguageModel.train(texts, tokenizer="whitespace", **options)
    answers = {d: Answers.of(*_asked(model, teller, test)) for d, test in tests.items()}
    return {
        **by_distance_row(answers, teller),
        "norms": [],
        "parameters": model.parameter_count(),
        "steps": 0,
        "clipped_share": 0.0,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _asked(
    model: NGramLanguageModel, teller: StoryTeller, test: Stories
) -> tuple[np.ndarray, np.ndarray]:
    """The model's log-probabilities at the blanks, and the right words' ids."""
    texts = [" ".join(teller.words[i] for i in row if i) for row in test.ids]
    ids, lengths = pad([[BOS, *model.tokenizer.encode(text)] for text in texts])
    right = [model.tokenizer.vocabulary.index(teller.names[i]) for i in test.answers]
    return np.asarray(model.next_log_probs(ids, lengths)), np.array(right)
