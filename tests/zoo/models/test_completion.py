"""Half-typed words: what is offered for a prefix, a typing error, and by a model of pieces."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.models import NGramLanguageModel, RecurrentLanguageModel
from zoo.text import EOS, SubwordTokenizer

SENTENCES = ["the tea is hot", "they like tea", "the Tiger sleeps", "Tom likes the tent"]


@pytest.fixture(scope="module")
def counts():
    return NGramLanguageModel.train(SENTENCES, 2, "add_k", k=0.1)


def offered(model, text, prefix, k=10):
    return [word for word, _ in model.next_words([text], k, prefix=prefix)[0]]


def test_only_words_that_begin_so_are_offered_with_their_own_probabilities(counts):
    whole = dict(counts.next_words(["tom likes"], k=99)[0])
    (begun,) = counts.next_words(["tom likes"], k=99, prefix="te")
    assert {word for word, _ in begun} == {"tea", "tent"}
    assert dict(begun) == pytest.approx({word: whole[word] for word, _ in begun})
    assert offered(counts, "tom likes", "TH", k=1) == ["the"]
    assert [p for _, p in begun] == sorted((p for _, p in begun), reverse=True)


def test_each_text_may_have_a_prefix_of_its_own(counts):
    both = counts.next_words(["tom likes", ""], k=1, prefix=["te", ""])
    alone = counts.next_words(["tom likes"], 1, "te") + counts.next_words([""], 1)
    assert list(map(dict, both)) == [pytest.approx(dict(words)) for words in alone]
    with pytest.raises(ZooError, match="3 prefixes for 1 texts"):
        counts.next_words(["a"], prefix=["a", "b", "c"])


@pytest.mark.parametrize("typed", ["teh", "th3", "tthe", "hte"])
def test_a_typing_error_is_forgiven(counts, typed):
    assert "the" in offered(counts, "tom likes", typed, k=3)


def test_nothing_is_offered_for_nonsense(counts):
    assert offered(counts, "tom likes", "zqxj") == []
    assert offered(counts, "tom likes", "z") == []


@pytest.fixture(scope="module")
def of_pieces():
    keras.utils.set_random_seed(5)
    pieces = SubwordTokenizer.train(["low lower lowest slow"] * 3, size=22, lowercase=False)
    small = {"units": 6, "embedding_dim": 5, "num_layers": 1, "word_scale": 1.5}
    return RecurrentLanguageModel(pieces, **small)


def by_hand(model, prefix):
    """P of every word of one or two pieces, and that it ends there."""
    vocabulary = model.tokenizer.vocabulary
    continues = np.array([piece.startswith("##") for piece in vocabulary])
    starts = [i for i in range(EOS + 1, len(vocabulary)) if not continues[i]]
    log_probs, state = model.step(np.array([2]), model.initial_state(1))
    first = np.exp(np.asarray(log_probs, np.float64)[0])
    found = {}
    for i in starts:
        second, after = model.step(np.array([i]), state)
        second = np.exp(np.asarray(second, np.float64)[0])
        found[vocabulary[i]] = first[i] * second[~continues].sum()
        for j in np.flatnonzero(continues):
            third, _ = model.step(np.array([j]), after)
            third = np.exp(np.asarray(third, np.float64)[0])
            word = vocabulary[i] + vocabulary[j][2:]
            found[word] = found.get(word, 0) + first[i] * second[j] * third[~continues].sum()
    return {word: p for word, p in found.items() if word.startswith(prefix)}


@pytest.mark.parametrize("prefix", ["", "l", "lo"])
def test_a_model_of_pieces_offers_whole_words(of_pieces, prefix):
    expected = by_hand(of_pieces, prefix)
    answer = dict(of_pieces.next_words([""], k=12, prefix=prefix)[0])
    likeliest = sorted(expected, key=lambda word: -expected[word])[:2]
    assert set(likeliest) <= set(answer)
    for word in itertools.islice(likeliest, 2):
        assert answer[word] >= expected[word] - 1e-6  # words of three pieces may read the same
    assert not [word for word in answer if "##" in word or not word.startswith(prefix)]
    assert list(answer.values()) == sorted(answer.values(), reverse=True)
