"""Scores of words, texts that come word by word, several continuations, hidden vectors."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from tests.helpers import losses
from tests.helpers.architectures import ARCHITECTURES, made
from tests.helpers.models import CLOZE_MODELS, TEXTS, language_model
from zoo.errors import ZooError
from zoo.models.language_model import LanguageModel

MODELS = ["gru", "nplm", "cached", "ngram_kneser_ney"]


@pytest.fixture(params=MODELS, scope="module")
def model(request):
    name = request.param
    return made(ARCHITECTURES[name]) if name in ARCHITECTURES else language_model(name)


def test_scores_of_words_add_up(model):
    texts, by_word = TEXTS[:4], model.score(TEXTS[:4], tokens=True)
    for text, words, score in zip(texts, by_word, model.score(texts), strict=True):
        assert [w.word for w in words] == [*model.tokenizer.tokenize(text), "<eos>"]
        assert sum(w.log_prob for w in words) == pytest.approx(score.log_prob, abs=1e-4)
        assert (len(words), sum(w.oov for w in words)) == (score.tokens, score.oov)
        state, token = model.initial_state(1), 2
        ids = [*model.tokenizer.encode(text), 3]
        for word, target in zip(words, ids, strict=True):
            log_probs, state = model.step(np.array([token], np.int32), state)
            assert word.log_prob == pytest.approx(float(log_probs[0, target]), abs=1e-4)
            token = target


@pytest.mark.parametrize("sampler", [None, zoo.TopP(0.9)], ids=["greedy", "top_p"])
def test_a_stream_is_the_generated_text(model, sampler):
    asked = {"sampler": sampler, "max_words": 8, "seed": 5}
    pieces = list(model.stream("the cat", **asked))
    assert "".join(pieces) == model.generate("the cat", **asked)
    assert len(pieces) >= 2  # the prompt, and a word or more
    with pytest.raises(ZooError, match="Beam.*at once"):
        model.stream("the cat", sampler=zoo.Beam(2))


def test_several_continuations(model):
    asked = {"max_words": 4, "seed": 5}
    drawn = model.generate("the cat", n=3, sampler=zoo.TopP(0.9), **asked)
    assert drawn[0] == model.generate("the cat", sampler=zoo.TopP(0.9), **asked)
    assert len(drawn) == 3
    assert len(set(drawn)) > 1
    both = model.generate(["the cat", "she"], n=2, sampler=zoo.Beam(3), **asked)
    assert [len(texts) for texts in both] == [2, 2]
    assert both[1][0] == model.generate("she", sampler=zoo.Beam(3, n_best=2), **asked)
    assert both[1][0] != both[1][1]
    with pytest.raises(ZooError, match=r"n=5 texts of Greedy.*TopP"):
        model.generate("a", n=5)
    with pytest.raises(ZooError, match="n=0"):
        model.generate("a", n=0)


@pytest.mark.parametrize("name", ["gru", "nplm"])
def test_hidden_vectors_predict_the_next_word(name):
    model = language_model(name)
    rows = model.encode(TEXTS)
    assert [len(r) for r in rows] == [len(model.tokenizer.encode(text)) + 1 for text in TEXTS]
    last = np.asarray(model.log_softmax(np.stack([r[-1] for r in rows])))
    words = model.next_words(TEXTS, k=1)
    for log_probs, ((word, probability),) in zip(last, words, strict=True):
        place = model.tokenizer.vocabulary.index(word)
        assert np.exp(log_probs[place]) == pytest.approx(probability, rel=1e-4)


@pytest.mark.parametrize("name", [name for name in CLOZE_MODELS if "lstm" not in name])
def test_hidden_vectors_fill_a_blank(name):
    model, text = language_model(name), "the ___ is small"
    rows = model.encode([text, "she"])
    assert [len(r) for r in rows] == [4, 1]
    log_probs = np.asarray(model.log_softmax(rows[0][1:2]))[0]
    ((word, probability),) = model.fill([text], k=1)[0]
    place = model.tokenizer.vocabulary.index(word)
    assert np.exp(log_probs[place]) == pytest.approx(probability, rel=1e-4)


def test_scores_of_a_translations_words_add_up():
    model = made(ARCHITECTURES["seq2seq_base"])
    pairs = list(zip(losses.GERMAN, losses.ENGLISH, strict=True))
    for words, score in zip(model.score(pairs, tokens=True), model.score(pairs), strict=True):
        assert sum(w.log_prob for w in words) == pytest.approx(score.log_prob, abs=1e-4)
        assert words[-1].word == "<eos>"


def test_what_models_and_answers_look_like_in_a_notebook():
    model = language_model("nplm")
    shown = model._repr_html_()
    assert "NeuralProbabilisticLanguageModel" in shown
    assert "<td>window</td><td>3</td>" in shown
    for answer in (
        model.next_words(["<b>the</b>"], k=2),
        model.score(["<b>the</b>"]),
        model.score(["<b>the</b>"], tokens=True),
        model.rank(["<b>the</b>"]),
        language_model("bidirectional").fill(["<b>the</b> ___"], k=2),
        made(ARCHITECTURES["seq2seq_base"]).translate(["<b>die</b>"]),
    ):
        assert isinstance(answer, list)
        assert answer._repr_html_().count("<tr>") >= 2
        assert "&lt;b&gt;" in answer._repr_html_()
        assert "<b>" not in answer._repr_html_()


def test_every_language_model_has_them():
    for method in ("stream", "generate", "score", "predict", "save", "export"):
        assert hasattr(LanguageModel, method)
