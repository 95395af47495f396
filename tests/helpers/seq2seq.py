"""Small translation models with fixed weights, one for each combination of the switches."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import keras

from tests.helpers.corpus import all_sentences
from zoo.models import Seq2Seq
from zoo.text import WordTokenizer

SWITCHES = ("separate_weights", "feed_context", "num_layers", "bidirectional_encoder",
            "reverse_source")  # fmt: skip
COMBINATIONS = [
    dict(zip(SWITCHES, (one, two, 2 if three else 1, four, five), strict=True))
    for one, two, three, four, five in itertools.product([False, True], repeat=5)
]
ALL_FIVE = COMBINATIONS[-1]


def name_of(settings: dict[str, Any]) -> str:
    """ "base", or the extensions that are on, as in `I+II+V`."""
    on = {
        "I": settings.get("separate_weights"),
        "II": settings.get("feed_context"),
        "III": settings.get("num_layers", 1) > 1,
        "IV": settings.get("bidirectional_encoder"),
        "V": settings.get("reverse_source"),
        "attention": settings.get("attention"),
    }
    return "+".join(name for name, is_on in on.items() if is_on) or "base"


@cache
def tokenizers() -> tuple[WordTokenizer, WordTokenizer]:
    """German and English of the toy grammar, without its last words."""
    pairs = all_sentences()[:80]
    return (
        WordTokenizer.train((german for _, german in pairs), size=30),
        WordTokenizer.train((english for english, _ in pairs), size=26),
    )


def translator(**settings: Any) -> Seq2Seq:
    """A small model with fixed weights, large enough that its answers differ."""
    keras.utils.set_random_seed(5)
    small = {"units": 5, "embedding_dim": 4, "max_target_length": 12}
    model = Seq2Seq(*tokenizers(), **{**small, **settings})
    for weight in model.trainable_weights:
        weight.assign(weight * 3.0)
    return model
