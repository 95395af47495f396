"""Every architecture of the zoo, small, with its loss by the independent NumPy implementation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras

from tests.helpers import losses
from tests.helpers.corpus import english
from tests.helpers.models import CLOZE_MODELS, LABEL_MODELS, LANGUAGE_MODELS
from tests.helpers.seq2seq import ALL_FIVE, translator
from tests.reference import language_models as reference
from tests.reference import ngram as ngram_reference
from zoo.models import NGramLanguageModel


@dataclass(frozen=True)
class Architecture:
    """A small model and its loss on `losses.ENGLISH` by the independent NumPy implementation."""

    name: str
    make: Callable[[], Any]
    expected_loss: Callable[[Any], float]

    @property
    def is_counted(self) -> bool:
        return self.name.startswith("ngram")


@cache
def made(architecture: Architecture) -> Any:
    """The model, built once a process."""
    return architecture.make()


@cache
def made_in_float64(architecture: Architecture) -> Any:
    """The same model in double precision: what must be equal is equal to its last digits."""
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        return architecture.make()
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy(policy)


def of_sentences(sentence_loss: Callable[[Any, list[int]], float]) -> Callable[[Any], float]:
    return lambda model: sum(
        sentence_loss(model, model.tokenizer.encode(text)) for text in losses.ENGLISH
    )


def of_pairs(model: Any) -> float:
    return sum(
        reference.translation_loss(
            model, model.source_row(german), model.target_tokenizer.encode(english)
        )
        for german, english in zip(losses.GERMAN, losses.ENGLISH, strict=True)
    )


def counted(smoothing: str, make_estimate: Any, **options: Any) -> Architecture:
    """An n-gram model on sentences of the toy grammar, cut at white space."""
    corpus = [text.lower() for text in english(60)]

    def expected(_: Any) -> float:
        estimate = make_estimate([tuple(text.split()) for text in corpus], 3, **options)
        return -sum(map(log_prob, [estimate] * 3, corpus[:3]))

    def log_prob(estimate: ngram_reference.Reference, text: str) -> float:
        words = ("<s>", *text.split(), "</s>")
        return sum(math.log(estimate.prob(words[t], words[:t])) for t in range(1, len(words)))

    def make() -> Any:
        return NGramLanguageModel.train(corpus, 3, smoothing, tokenizer="whitespace", **options)

    return Architecture(f"ngram_{smoothing}", make, expected)


# By the family's name, with which the names of its models begin.
LOSSES = {
    "nplm": reference.nplm_loss,
}


def loss_of(name: str) -> Callable[[Any, list[int]], float]:
    """The independent loss of a language model in the list."""
    families = [family for family in LOSSES if name.startswith(family)]
    return LOSSES[families[0]] if families else reference.recurrent_loss


def listed() -> Iterator[Architecture]:
    """Every architecture of the notes, in their order."""
    yield counted("mle", ngram_reference.MaximumLikelihood)
    yield counted("add_k", ngram_reference.AddK, k=0.5)
    yield counted("stupid_backoff", ngram_reference.StupidBackoff, alpha=0.4)
    yield counted("kneser_ney", ngram_reference.KneserNey)
    for name, make in LANGUAGE_MODELS.items():
        yield Architecture(name, make, of_sentences(loss_of(name)))
    for name, make in CLOZE_MODELS.items():
        yield Architecture(name, make, of_sentences(reference.cloze_loss))
    for name, make in LABEL_MODELS.items():
        yield Architecture(name, make, of_sentences(reference.label_loss))
    for name, settings in TRANSLATORS.items():
        yield Architecture(f"seq2seq_{name}", lambda s=settings: translator(**s), of_pairs)


TRANSLATORS: dict[str, dict[str, Any]] = {
    "base": {"cell": "rnn"},
    "all_five": {"cell": "gru", **ALL_FIVE},
    "attention": {"cell": "lstm", "feed_context": True, "attention": "bahdanau"},
}
ARCHITECTURES = {architecture.name: architecture for architecture in listed()}
ONE_OF_EACH_KIND = [
    *("ngram_kneser_ney", "gru", "nplm", "deep_bidirectional"),
    *("tagger", "classifier", "seq2seq_base"),
]
