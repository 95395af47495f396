"""Decomposed text is answered as composed text is, by models in Python and by their exports."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from export.saved_model.exporter import export_saved_model
from zoo.models import (
    BidirectionalLanguageModel,
    NGramLanguageModel,
    RecurrentLanguageModel,
    Seq2Seq,
)
from zoo.text import SubwordTokenizer, WordTokenizer

COMPOSED = ["Die Tür ist grün.", "Ich bin müde und das Café schließt.", "Ç'est où l’hôtel, Zoë?"]
COMPATIBLE = ["ﬁnd die Ｔür ½ ²", "Ａuﬀ der Straße"]
SIZES = {"units": 5, "embedding_dim": 4, "num_layers": 1}
Maker = Callable[[str], Any]


def words(form: str) -> WordTokenizer:
    texts = COMPOSED + [unicodedata.normalize("NFKC", text) for text in COMPATIBLE]
    return WordTokenizer.train(texts, normalization=form)


def pieces(form: str) -> SubwordTokenizer:
    return SubwordTokenizer.train(COMPOSED * 3, size=80, normalization=form)


MODELS: dict[str, Maker] = {
    "language model": lambda form: RecurrentLanguageModel(words(form), **SIZES),
    "n-grams": lambda form: NGramLanguageModel.train(COMPOSED, 3, "add_k", words(form)),
    "fill": lambda form: BidirectionalLanguageModel(words(form), **SIZES),
    "translation": lambda form: Seq2Seq(pieces(form), words(form), **SIZES),
}

# The graphs of both forms and every signature of text, in few exports.
EXPORTED = {("n-grams", "NFC"), ("fill", "NFC"), ("translation", "NFKC")}


def answers(model: Any, texts: list[str]) -> list[list[tuple[str, float]]]:
    """What a user asks the model for."""
    if hasattr(model, "fill"):
        return model.fill([f"{text} ___" for text in texts], k=5)
    if hasattr(model, "translate"):
        return model.translate(texts, beam=2)
    scores = [[("", score.log_prob)] for score in model.score(texts)]
    return model.next_words(texts, k=5) + scores


def exported_answers(signatures: Any, texts: list[str]) -> list[np.ndarray]:
    """What the exported signatures say of the same texts."""
    name = next(name for name in ("fill", "translate", "next_word") if name in signatures)
    asked = [f"{text} ___" for text in texts] if name == "fill" else texts
    found = signatures[name](text=tf.constant(asked))
    return [found[key].numpy() for key in sorted(found)]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@pytest.mark.parametrize("name", MODELS)
def test_all_forms_of_a_text_have_the_answer_of_one(name: str, form: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    model = MODELS[name](form)
    texts = [unicodedata.normalize(form, text) for text in COMPOSED + COMPATIBLE]
    others = [unicodedata.normalize(form.replace("C", "D"), text) for text in texts]
    assert others != texts
    if form == "NFKC":
        others = [*others[:3], *COMPATIBLE]
    assert answers(model, others) == answers(model, texts)
    if (name, form) in EXPORTED:
        loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "saved").path))
        pairs = zip(*(exported_answers(loaded.signatures, t) for t in (others, texts)), strict=True)
        for other, composed in pairs:
            np.testing.assert_array_equal(other, composed)


@pytest.mark.parametrize(
    ("preset", "texts"),
    [
        ("seq2seq_tatoeba_de_en", ["Ich bin müde.", "Die Tür ist grün."]),
        ("mle3_tatoeba_en", ["the café is", "a naïve"]),
    ],
)
def test_a_shipped_preset_answers_decomposed_text(preset: str, texts: list[str]) -> None:
    model = zoo.load(preset)
    decomposed = [unicodedata.normalize("NFD", text) for text in texts]
    assert decomposed != texts
    assert answers(model, decomposed) == answers(model, texts)
    if hasattr(model, "translate"):
        assert answers(model, decomposed)[0][0][0] == "i'm tired."
