"""Figures of parts of a test text: those without a near-duplicate in training, and by length."""

from __future__ import annotations

import pytest

import zoo
from training.datasets import Corpus, Pair
from training.tasks.evaluate import evaluate
from training.tasks.groups import groups
from training.tasks.translation import scored

TRAIN = ["the cat is here", "a dog was there", "we sing all day long in the garden"]
TEST = ["the cat was here", "they sing", "nobody has ever seen so many old houses"]


def test_clean_sentences_and_lengths():
    chosen = groups(Corpus("own", TRAIN, TRAIN, TEST), "test")
    found = {name: [text for text in TEST if belongs(text)] for name, belongs in chosen.items()}
    assert found["clean"] == TEST[1:]
    assert found["1-5 words"] == TEST[:2]
    assert found["6-10 words"] == TEST[2:]
    assert not found["11-15 words"]


def test_a_pair_is_clean_on_both_sides():
    train = [Pair("die Katze ist hier", "the cat is here")]
    test = [Pair("die Katze war hier", "my dog"), Pair("ein Hund", "the cat was here")]
    test.append(Pair("ein Hund bellt laut", "a dog barks loudly"))
    clean = groups(Corpus("own", train, train, test), "test")["clean"]
    assert [clean(pair) for pair in test] == [False, False, True]


def test_the_perplexities_of_all_lengths_make_up_the_whole():
    model = zoo.models.NGramLanguageModel.train([*TRAIN, *TEST], order=2, smoothing="add_k")
    rows = list(evaluate(model, Corpus("own", TRAIN, TRAIN, TEST), detailed=True))
    value = {row["metric"]: (row["value"], row["tokens"]) for row in rows}
    parts = [value["perplexity (1-5 words)"], value["perplexity (6-10 words)"]]
    whole, tokens = value["perplexity"]
    assert sum(count for _, count in parts) == tokens
    product = 1.0
    for part, count in parts:
        product *= part ** (count / tokens)
    assert product == pytest.approx(whole)
    assert value["perplexity (clean)"][1] == tokens - 5
    plain = evaluate(model, Corpus("own", TRAIN, TRAIN, TEST))
    assert not any("(" in row["metric"] for row in plain)


def test_figures_with_and_without_case_have_names_of_their_own():
    answers, references = ["tom is here ."], [["Tom is here ."]]
    found = {row["metric"]: row["value"] for row in scored(answers, references, lowercase=True)}
    assert found["bleu_uncased"] == pytest.approx(100)
    assert found["bleu"] < 100
    assert set(found) == {"bleu", "chrf", "bleu_uncased", "chrf_uncased"}
    cased = [row["metric"] for row in scored(answers, references, lowercase=False)]
    assert cased == ["bleu", "chrf"]
