"""Labels of words or texts against the true ones: accuracy, and precision, recall and F1 a label.

    precision = right / given,   recall = right / true,   F1 = 2 right / (given + true)

of a label: `right` is how often it was given where it is true. A quotient of 0 by 0 is 0, as in
scikit-learn and seqeval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zoo.errors import ZooError


@dataclass(frozen=True)
class LabelScore:
    """How often a label was right, given, and true.

    Example:
        >>> score = LabelScore(right=2, given=4, true=3)
        >>> score.precision, round(score.recall, 4), round(score.f1, 4)
        (0.5, 0.6667, 0.5714)
    """

    right: int
    given: int
    true: int

    @property
    def precision(self) -> float:
        return self.right / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        both = self.given + self.true
        return 2 * self.right / both if both else 0.0


def accuracy(true: Sequence[str], given: Sequence[str]) -> float:
    """The share of labels that are the true ones.

    Raises:
        ZooError: there are none, or not as many of the one as of the other.

    Example:
        >>> accuracy(["N", "V", "N", "A"], ["N", "V", "V", "A"])
        0.75
    """
    _same_length(true, given)
    return sum(t == g for t, g in zip(true, given, strict=True)) / len(true)


def label_scores(true: Sequence[str], given: Sequence[str]) -> dict[str, LabelScore]:
    """The score of each label that is true or given anywhere, by name in order.

    Raises:
        ZooError: as of `accuracy`.

    Example:
        >>> label_scores(["N", "V", "N"], ["N", "N", "N"])["N"].recall
        1.0
    """
    _same_length(true, given)
    right = [t for t, g in zip(true, given, strict=True) if t == g]
    return counted(right, given, true)


def counted(
    right: Iterable[str], given: Iterable[str], true: Iterable[str]
) -> dict[str, LabelScore]:
    """Scores from what was right, given and true, one name a thing."""
    counts = [Counter(part) for part in (right, given, true)]
    names = sorted(set().union(*counts))
    return {name: LabelScore(*(count[name] for count in counts)) for name in names}


def micro(scores: Mapping[str, LabelScore]) -> LabelScore:
    """All labels together, each thing counted once."""
    return LabelScore(
        right=sum(score.right for score in scores.values()),
        given=sum(score.given for score in scores.values()),
        true=sum(score.true for score in scores.values()),
    )


def macro_f1(scores: Mapping[str, LabelScore]) -> float:
    """The mean of the labels' F1, each label counted once."""
    return sum(score.f1 for score in scores.values()) / max(len(scores), 1)


def _same_length(true: Sequence[str], given: Sequence[str]) -> None:
    if len(true) != len(given) or not true:
        raise ZooError(
            f"{len(given)} labels against {len(true)} true ones: give as many, and at least one"
        )
