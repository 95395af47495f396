"""`zoo evaluate MODEL --data minimal_pairs`: does a language model know what is grammatical?

200 pairs of our own, each a sentence and the same with one word that makes it wrong: agreement
(near, over a phrase, over a clause), reflexives, determiners, verb forms, pronouns, comparison. A
pair is right where the model finds the right sentence the likelier one (Linzen et al. 2016;
Marvin and Linzen 2018). A tie, as between two unknown words, is not right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from zoo.errors import ZooError
from zoo.models.language_model import LanguageModel
from zoo.text import segmentation

NAME = "minimal_pairs"
FILE = Path(__file__).parents[1] / "datasets" / "challenge" / f"{NAME}.txt"


class MinimalPair(NamedTuple):
    """A sentence and its ungrammatical twin."""

    kind: str
    right: str
    wrong: str


def minimal_pairs() -> list[MinimalPair]:
    """The pairs in the order of the file."""
    found, kind = [], ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            right, wrong = (part.strip() for part in line.split("|"))
            found.append(MinimalPair(kind, right, wrong))
    return found


def evaluate_minimal_pairs(model: Any) -> Iterator[dict[str, Any]]:
    """Rows with metric, kind, value (the share that is right) and count."""
    if not isinstance(model, LanguageModel):
        raise ZooError(f"{NAME} asks for sentences' scores, which a {type(model).__name__} lacks")
    pairs = minimal_pairs()
    texts = [as_read(model, text) for pair in pairs for text in (pair.right, pair.wrong)]
    scores = [score.log_prob for score in model.score(texts)]
    knows = [right > wrong for right, wrong in zip(scores[::2], scores[1::2], strict=True)]
    for kind in ("all", *dict.fromkeys(pair.kind for pair in pairs)):
        of_kind = [
            known for pair, known in zip(pairs, knows, strict=True) if kind in ("all", pair.kind)
        ]
        value = sum(of_kind) / len(of_kind)
        yield {"metric": "accuracy", "kind": kind, "value": value, "count": len(of_kind)}


def as_read(model: LanguageModel, text: str) -> str:
    """The text as the model's training text was written: of a tokenised corpus, tokenised."""
    if model.tokenizer.split == "words":
        return text
    return " ".join(segmentation.split_words(text))
