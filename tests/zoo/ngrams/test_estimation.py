"""Smoothings against the slow reference, and Kneser-Ney against KenLM's own files."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.ngrams import SENTENCES, assert_same_distributions, lines_of, trained
from tests.reference.ngram import AddK, KneserNey, MaximumLikelihood, StupidBackoff
from zoo.errors import ZooError
from zoo.models.ngram import NGramLanguageModel
from zoo.ngrams.corpus import learn_vocabulary
from zoo.ngrams.counts import NGramCounts
from zoo.ngrams.discounts import discounts_of, taken_off

HISTORIES = [(), ("a",), ("b", "a"), ("zzz",), ("a", "b", "c", "d"), ("<unk>", "b")]
Sentences = list[tuple[str, ...]]


@settings(max_examples=25, deadline=None)
@given(SENTENCES, st.integers(1, 4))
def test_maximum_likelihood(sentences: Sentences, order: int) -> None:
    model = trained(sentences, order, smoothing="mle")
    assert_same_distributions(model, MaximumLikelihood(sentences, order), HISTORIES)


WORKED = ["the cat sat", "the cat ran", "the dog sat", "a cat sat"]


def test_equations_2_and_3_by_hand() -> None:
    """count(the) = 3, count(the cat) = 2, count(the cat sat) = 1; count(cat) = 3, of cat sat 2."""
    bigrams, trigrams = (
        NGramLanguageModel.train(WORKED, order, smoothing="mle", tokenizer="whitespace")
        for order in (2, 3)
    )
    assert dict(bigrams.next_words(["the"])[0]) == pytest.approx({"cat": 2 / 3, "dog": 1 / 3})
    assert dict(bigrams.next_words(["a cat"])[0]) == pytest.approx({"sat": 2 / 3, "ran": 1 / 3})
    assert dict(trigrams.next_words(["the cat"])[0]) == pytest.approx({"sat": 1 / 2, "ran": 1 / 2})
    # <s> the cat sat </s>: 3/4 * 2/3 * 1/2 * 1
    assert trigrams.score(["the cat sat"])[0].log_prob == pytest.approx(np.log(1 / 4))


def test_what_maximum_likelihood_never_saw_is_impossible_and_it_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = NGramLanguageModel.train(WORKED, 2, smoothing="mle", tokenizer="whitespace")
    with caplog.at_level("WARNING"):
        possible, impossible = model.score(["a cat ran", "the dog ran"])
    assert np.isfinite(possible.log_prob)
    assert impossible.log_prob == -np.inf
    assert impossible.perplexity == np.inf
    (message,) = caplog.messages
    assert "1 of 2 sentences have probability 0: the corpus never has 'ran' after 'dog'" in message
    assert "smoothing='kneser_ney' (or add_k, stupid_backoff) gives unseen words a share" in message


@settings(max_examples=25, deadline=None)
@given(SENTENCES, st.integers(1, 4), st.sampled_from([1.0, 0.01]))
def test_add_k(sentences: Sentences, order: int, k: float) -> None:
    model = trained(sentences, order, smoothing="add_k", k=k)
    assert_same_distributions(model, AddK(sentences, order, k), HISTORIES)


@settings(max_examples=25, deadline=None)
@given(SENTENCES, st.integers(1, 4))
def test_stupid_backoff(sentences: Sentences, order: int) -> None:
    model = trained(sentences, order, smoothing="stupid_backoff", alpha=0.3)
    assert_same_distributions(model, StupidBackoff(sentences, order, 0.3), HISTORIES)


@settings(max_examples=60, deadline=None)
@given(SENTENCES, st.integers(1, 4), st.booleans(), st.sampled_from([(), (0, 0, 1), (0, 1, 2)]))
def test_kneser_ney(
    sentences: Sentences, order: int, modified: bool, prune: tuple[int, ...]
) -> None:
    reference = KneserNey(sentences, order, modified, prune)
    model = by_the_formula(sentences, order, modified, prune)
    np.testing.assert_allclose(model.discounts, reference.discounts, rtol=1e-12)
    assert_same_distributions(model, reference, HISTORIES)


def by_the_formula(
    sentences: Sentences, order: int, modified: bool, prune: tuple[int, ...]
) -> NGramLanguageModel:
    """Kneser-Ney without KenLM's treatment of its last n-gram (see counted_for_discounts)."""
    texts = [" ".join(sentence) for sentence in sentences]
    tokenizer, ids = learn_vocabulary(texts, False, "whitespace", None, 1)
    counts = NGramCounts.from_ids(ids, tokenizer.vocabulary_size, order)
    return NGramLanguageModel.from_counts(
        replace(counts, last=()), tokenizer, modified=modified, prune=prune or 0
    )


@settings(max_examples=40, deadline=None)
@given(
    SENTENCES,
    st.integers(1, 5),
    st.sampled_from(["add_k", "stupid_backoff", "kneser_ney"]),
    st.lists(st.sampled_from(["a", "b", "c", "d", "zzz"]), max_size=6),
)
def test_every_distribution_sums_to_one(
    sentences: Sentences, order: int, smoothing: str, history: list[str]
) -> None:
    model = trained(sentences, order, smoothing=smoothing)
    ids = [2, *model.tokenizer.encode(" ".join(history))]
    log_probs = model.next_log_probs(np.array([ids]), np.array([len(ids)]))
    assert np.exp(log_probs[0].astype(np.float64)).sum() == pytest.approx(1.0, abs=2e-6)


@settings(max_examples=25, deadline=None)
@given(SENTENCES, st.integers(1, 4))
def test_maximum_likelihood_sums_to_one_where_it_says_anything(
    sentences: Sentences, order: int
) -> None:
    model = trained(sentences, order, smoothing="mle")
    state = model.initial_state(1)
    for word in (2, *model.tokenizer.encode(" ".join(sentences[0]))):
        log_probs, state = model.step(np.array([word]), state)
        assert np.exp(log_probs[0].astype(np.float64)).sum() == pytest.approx(1.0, abs=2e-6)


@pytest.mark.parametrize(
    ("order", "discounts"),
    [
        (3, [(0.538462, 1.10256, 1.27692), (0.739837, 1.23704, 0.309682),
             (0.619718, 1.15076, 1.59307)]),
        (5, [(0.538462, 1.10256, 1.27692), (0.739837, 1.23704, 0.309682),
             (0.81982, 0.831757, 0.0659082), (0.87563, 0.0830798, 1.44332),
             (0.804044, 1.31082, 1.03456)]),
    ],
)  # fmt: skip
def test_discounts_are_those_that_kenlm_prints(
    order: int, discounts: list[tuple[float, ...]]
) -> None:
    model = NGramLanguageModel.train(lines_of("corpus.txt"), order, tokenizer="whitespace")
    np.testing.assert_allclose(model.discounts, discounts, rtol=1e-5)


def test_discounts_by_hand() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [10, 5, 4, 2, 1])
    y = 10 / 20
    wanted = [1 - 2 * y * 5 / 10, 2 - 3 * y * 4 / 5, 3 - 4 * y * 2 / 4]
    assert discounts_of(counts).tolist() == pytest.approx(wanted)
    assert discounts_of(counts, modified=False).tolist() == [y, y, y]
    assert taken_off(np.array([0, 1, 2, 7]), np.array([0.1, 0.2, 0.3])).tolist() == [
        0,
        0.1,
        0.2,
        0.3,
    ]


def test_a_corpus_too_small_for_discounts_falls_back_or_is_refused() -> None:
    assert trained([("a",)], 2).discounts == ((0.5, 1.0, 1.5), (0.5, 1.0, 1.5))
    with pytest.raises(ZooError, match="give no discounts: train on more text"):
        trained([("a",)], 2, discount_fallback=None)


def test_words_of_the_vocabulary_that_never_occur_share_with_unknown_ones() -> None:
    tokenizer = trained([("a", "b", "c")], 1).tokenizer
    model = NGramLanguageModel.train(["a b", "a a"], 2, tokenizer=tokenizer)
    log_probs = model.step(np.array([tokenizer.encode("a")[0]]), model.initial_state(1))[0][0]
    assert log_probs[tokenizer.encode("c")[0]] == log_probs[1]
    assert np.isfinite(log_probs[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smoothing": "good_turing"}, "smoothing='good_turing': use one of mle, add_k"),
        ({"smoothing": "mle", "k": 1}, "mle has no option 'k': it has no options"),
        ({"smoothing": "kneser_ney", "alpha": 1}, "kneser_ney has no option 'alpha': it has prune"),
        ({"smoothing": "add_k", "k": 0.0}, "k=0.0: give a number above 0"),
        ({"smoothing": "stupid_backoff", "alpha": 2}, "alpha=2: give a factor above 0"),
        ({"prune": (1, 1)}, "prune=(1, 1): give counts that start with 0"),
        ({"prune": (0, 2, 1)}, "do not fall"),
        ({"tokenizer": "letters"}, "tokenizer='letters'"),
        ({"order": 0}, "order=0"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, object], message: str) -> None:
    settings_ = {"order": 3, "tokenizer": "whitespace"} | options
    with pytest.raises(ZooError, match=re.escape(message)):
        NGramLanguageModel.train(["a b", "b c"], **settings_)  # type: ignore[arg-type]
