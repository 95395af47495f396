"""The search's best translations in another order: by a language model, or by expected likeness.

Minimum Bayes risk (Kumar and Byrne 2004) takes not the likeliest translation but the one that is
most like all likely ones: with the n best y_1 ... y_n as what may be right,

    y* = argmax_i Σ_j p(y_j) u(y_i, y_j),    p(y_j) ∝ exp(score_j)

where u is sentence-level chrF or BLEU, of 100, with y_j as the reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import ZooError
from zoo.metrics.bleu import UTILITIES, utility


@dataclass(frozen=True)
class Hypothesis:
    """A translation as the search found it; `ids` end with `<eos>` unless the limit cut it."""

    ids: tuple[int, ...]
    score: float


def reranked(
    pairs: Sequence[tuple[str, Hypothesis]],
    language: tuple[Any, float, float],
    utility_name: str | None,
) -> list[tuple[str, float]]:
    """Translations with their scores, best first, each text once.

    Args:
        pairs: texts and hypotheses.
        language: a language model or None, its weight, the length normalisation's alpha.
        utility_name: likeness by which the least risky comes first, or None.
    """
    scored = [(text, h.score) for text, h in pairs]
    if language[0] is not None:
        scored = rescored(pairs, *language)
    return unique(scored if utility_name is None else by_risk(unique(scored), utility_name))


def unique(scored: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Texts by falling score, each once."""
    best: dict[str, float] = {}
    for text, score in sorted(scored, key=lambda pair: -pair[1]):
        best.setdefault(text, score)
    return list(best.items())


def rescored(
    pairs: Sequence[tuple[str, Hypothesis]], language_model: Any, weight: float, alpha: float
) -> list[tuple[str, float]]:
    """The translations with a language model's opinion in their scores."""
    if not pairs:
        return []
    opinions = language_model.score([text for text, _ in pairs])
    return [
        (text, h.score + weight * opinion.log_prob / ((5 + len(h.ids)) / 6) ** alpha)
        for (text, h), opinion in zip(pairs, opinions, strict=True)
    ]


def check_utility(name: str | None) -> None:
    """Refuse a likeness that is not known."""
    if name is not None and name not in UTILITIES:
        raise ZooError(f"mbr={name!r}: use {', '.join(UTILITIES)} or None")


def by_risk(scored: Sequence[tuple[str, float]], name: str) -> list[tuple[str, float]]:
    """The translations with their expected likeness, of 100, as scores.

    Example:
        >>> best = by_risk([("a b", -1.0), ("c d e", -1.1), ("c d f", -1.2)], "chrf")
        >>> max(best, key=lambda pair: pair[1])[0]
        'c d e'
    """
    if not scored:
        return []
    top = max(score for _, score in scored)
    weights = [math.exp(score - top) for _, score in scored]
    texts = [text for text, _ in scored]
    likeness = utility(name, texts)
    return [
        (text, sum(w * u for w, u in zip(weights, row, strict=True)) / sum(weights))
        for text, row in zip(texts, likeness, strict=True)
    ]
