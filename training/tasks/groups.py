"""The parts of a test text that have figures of their own: clean ones, and by length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from training.datasets import Corpus, Pair, splits
from training.datasets.labelled import LabelledText, TaggedWords

LENGTHS = ((1, 5), (6, 10), (11, 15), (16, None))  # words of a sentence, or of a pair's source


def groups(corpus: Corpus, split: str) -> dict[str, Callable[[Any], bool]]:
    """By name: whether an example belongs to it.

    `clean`: neither it nor, in a pair, its other side is a near-duplicate of a training text.
    """
    examples = getattr(corpus, split)
    clean = set(map(sides, examples))
    for k in range(len(sides(examples[0]))):
        texts = [sides(example)[k] for example in examples]
        known = splits.clean(texts, [sides(example)[k] for example in corpus.train])
        clean -= {sides(e) for e, is_clean in zip(examples, known, strict=True) if not is_clean}
    return {"clean": lambda example: sides(example) in clean, **by_length()}


def sides(example: str | Pair | TaggedWords | LabelledText) -> tuple[str, ...]:
    """Source and target, or a sentence without its labels."""
    if isinstance(example, Pair):
        return (example.source, example.target)
    return (example if isinstance(example, str) else example.plain,)


def by_length() -> dict[str, Callable[[Any], bool]]:
    """The groups of LENGTHS, named by their bounds."""

    def between(low: int, high: int | None) -> Callable[[Any], bool]:
        return lambda example: low <= len(sides(example)[0].split()) <= (high or 10**9)

    names = [
        f"{low} words and more" if not high else f"{low}-{high} words" for low, high in LENGTHS
    ]
    return dict(zip(names, [between(*bounds) for bounds in LENGTHS], strict=True))
