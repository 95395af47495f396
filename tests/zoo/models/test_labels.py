"""Models that give labels: what is shared by all of them; their equations are in conformance."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from tests.helpers.losses import ENGLISH, label_loss
from tests.helpers.models import LABELS, TEXTS, classifier, language_model, tagger, tokenizer
from tests.reference.language_models import label_loss as expected_loss
from zoo.errors import ZooError
from zoo.models import BidirectionalTagger
from zoo.models.labelling import checked_labels
from zoo.text import WordTokenizer


@pytest.fixture(scope="module")
def words():
    return language_model("tagger")


@pytest.fixture(scope="module")
def texts():
    return language_model("classifier")


def test_each_word_has_a_label_whatever_the_batch(words):
    together = words.tag(TEXTS)
    assert [[w.word for w in row] for row in together] == [*map(words.tokenizer.tokenize, TEXTS)]
    for text, row in zip(TEXTS, together, strict=True):
        (alone,) = words.tag([text])
        assert [w.label for w in alone] == [w.label for w in row]
        np.testing.assert_allclose(*([w.probability for w in r] for r in (alone, row)), atol=1e-6)
    assert {w.label for row in together for w in row} <= set(LABELS)


def test_a_label_is_read_from_both_sides_and_the_word_itself(words):
    def last_and_first(text):
        row = words.tag([text])[0]
        return row[0].probability, row[-1].probability

    base = last_and_first("the cat is small")
    assert last_and_first("she cat is small")[1] != base[1]
    assert last_and_first("the cat is big")[0] != base[0]


def test_words_that_are_cut_already(words):
    """One label a word, the first piece's, also for what the tokenizer cuts or does not see."""
    row = ["the", "cat's-eye", "\u00ad", "is"]
    pieces = words.tag(["the cat's - eye qqq is"])[0]
    assert words.tag_words([row, []]) == [[pieces[i].label for i in (0, 1, 4, 5)], []]


def test_distributions_of_labels(texts):
    answers = texts.classify(TEXTS)
    for row in answers:
        assert sorted(label for label, _ in row) == sorted(LABELS)
        assert [p for _, p in row] == sorted((p for _, p in row), reverse=True)
        assert sum(p for _, p in row) == pytest.approx(1, abs=1e-5)
    assert texts.classify(TEXTS, k=1) == [row[:1] for row in answers]
    for text, row in zip(TEXTS, answers, strict=True):
        np.testing.assert_allclose(
            [p for _, p in texts.classify([text])[0]], [p for _, p in row], atol=1e-6
        )


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_what_a_text_is_read_from(pooling):
    model = classifier(cell="rnn", pooling=pooling)
    expected = [expected_loss(model, model.tokenizer.encode(text)) for text in ENGLISH]
    np.testing.assert_allclose(float(label_loss(model, (0, 1, 2))), sum(expected), rtol=1e-5)


@pytest.mark.parametrize("name", ["tagger", "classifier"])
def test_presets_keep_model_and_labels(name, tmp_path):
    model = language_model(name)
    model.save_to_preset(tmp_path / "preset")
    loaded = zoo.load(tmp_path / "preset")
    assert type(loaded) is type(model)
    assert loaded.settings == model.settings
    assert loaded.labels == tuple(LABELS)
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"], "two or more"),
        (["a", "b", "a"], "each once"),
        (["a", ""], "label ''"),
        (["a", 3], "label 3"),
        ("ab", "list of label names"),
        (7, "list of label names"),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(ZooError, match=message):
        checked_labels(labels)


def test_mistakes():
    with pytest.raises(ZooError, match="mixing='x'"):
        tagger(mixing="x")
    with pytest.raises(ZooError, match="pooling='first'"):
        classifier(pooling="first")
    with pytest.raises(ZooError, match="units=0"):
        tagger(units=0)
    with pytest.raises(ZooError, match="give a list of str"):
        language_model("tagger").tag("one string")


def test_a_tagger_may_keep_capitals():
    cased = WordTokenizer.train(["Jane left"], lowercase=False)
    model = BidirectionalTagger(cased, labels=LABELS, units=2, embedding_dim=2)
    assert [word.word for word in model.tag(["Jane LEFT"])[0]] == ["Jane", "LEFT"]
    assert tokenizer().tokenize("Jane") == ["jane"]
