"""List a language model here once: every shared check of tests/zoo/models runs on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras

from tests.helpers.corpus import english
from zoo.models import (
    BidirectionalClassifier,
    BidirectionalLanguageModel,
    BidirectionalTagger,
    CachedLanguageModel,
    NeuralProbabilisticLanguageModel,
    PointerLanguageModel,
    RecurrentLanguageModel,
)
from zoo.text import WordTokenizer

LABELS = ["O", "B-PER", "I-PER"]
TEXTS = ["The cat is small at home.", "", "she", "qqq zzz qqq", "tom looks very old in the garden."]


@cache
def tokenizer() -> WordTokenizer:
    """A vocabulary of the toy grammar."""
    return WordTokenizer.train(english(120))


def recurrent(seed: int = 3, **settings: Any) -> RecurrentLanguageModel:
    """A small recurrent model with fixed weights."""
    keras.utils.set_random_seed(seed)
    small = {"units": 7, "embedding_dim": 6, "num_layers": 2}
    return RecurrentLanguageModel(tokenizer(), **{**small, **settings})


def nplm(**settings: Any) -> NeuralProbabilisticLanguageModel:
    keras.utils.set_random_seed(3)
    small = {"units": 7, "embedding_dim": 5, "window": 3}
    return NeuralProbabilisticLanguageModel(tokenizer(), **{**small, **settings})


def bidirectional(**settings: Any) -> BidirectionalLanguageModel:
    keras.utils.set_random_seed(3)
    small = {"units": 5, "embedding_dim": 6, "num_layers": 2}
    return BidirectionalLanguageModel(tokenizer(), **{**small, **settings})


def tagger(**settings: Any) -> BidirectionalTagger:
    """A small tagger with fixed weights."""
    keras.utils.set_random_seed(3)
    small = {"labels": LABELS, "units": 5, "embedding_dim": 6, "num_layers": 2}
    return BidirectionalTagger(tokenizer(), **{**small, **settings})


def classifier(**settings: Any) -> BidirectionalClassifier:
    """A small classifier with fixed weights."""
    keras.utils.set_random_seed(3)
    small = {"labels": LABELS, "units": 5, "embedding_dim": 6}
    return BidirectionalClassifier(tokenizer(), **{**small, **settings})


LANGUAGE_MODELS: dict[str, Callable[[], Any]] = {
    "rnn_sigmoid": lambda: recurrent(
        cell="rnn",
        mixtures=3,  # on this one of them, so that every property holds of it
        cell_options={"activation": "sigmoid"},
    ),
    "rnn_tanh_learnt_h0": lambda: recurrent(
        cell="rnn",
        residual=True,  # on this one of them, so that every property holds of it
        cell_options={"learn_initial_state": True},
    ),
    "irnn": lambda: recurrent(
        seed=7,  # no layer starts with all its units at the kink of ReLU, where slopes differ
        cell="rnn",
        cell_options={"activation": "relu", "recurrent_initializer": "identity"},
    ),
    "gru": lambda: recurrent(cell="gru"),
    "gru_as_in_the_notes": lambda: recurrent(
        cell="gru", output_bias=False, cell_options={"use_bias": False}
    ),
    "lstm_tied": lambda: recurrent(tied=True),
    "cifg_projected": lambda: recurrent(cell="cifg", tied=True, num_layers=1),
    "nplm": nplm,
    "nplm_without_direct": lambda: nplm(direct=False),
}
# Language models around another one, whose gradient there is none of.
WRAPPED_MODELS: dict[str, Callable[[], Any]] = {
    "cached": lambda: CachedLanguageModel(
        recurrent(num_layers=1, word_scale=1.0), window=5, theta=2.0, weight=0.3
    ),
    "pointer": lambda: PointerLanguageModel(
        recurrent(num_layers=1, word_scale=1.0), names=["tom", "she", "cat"], gamma=5.0
    ),
}
CLOZE_MODELS: dict[str, Callable[[], Any]] = {
    "bidirectional": lambda: bidirectional(cell="rnn"),
    "bidirectional_lstm": lambda: bidirectional(cell="lstm", tied=True),
    "deep_bidirectional": lambda: bidirectional(cell="gru", mixing="layers"),
}
LABEL_MODELS: dict[str, Callable[[], Any]] = {
    "tagger": lambda: tagger(cell="rnn"),
    "classifier": lambda: classifier(cell="gru", mixing="top"),
}


@cache
def language_model(name: str) -> Any:
    """A listed model, built once a test process."""
    every = {**LANGUAGE_MODELS, **WRAPPED_MODELS, **CLOZE_MODELS, **LABEL_MODELS}
    return every[name]()
