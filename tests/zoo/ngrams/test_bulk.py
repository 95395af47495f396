"""Scoring much text: ids by Polars, look-ups by hash and threads change no figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.ngrams import lines_of
from zoo.models.ngram import NGramLanguageModel
from zoo.ngrams import index, query, sentences
from zoo.ngrams.corpus import MANY, encode_corpus
from zoo.text import EOS, WordTokenizer

TEXT = st.text(
    st.one_of(st.sampled_from("ab \t\n\r\x1c\x85\xa0\u2003\u3000<unk>É\0"), st.characters())
)


@pytest.fixture(scope="module")
def model() -> NGramLanguageModel:
    return NGramLanguageModel.train(lines_of("corpus.txt"), 4, tokenizer="whitespace")


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8), st.booleans())
@example(["a \ud800 b", "c"], False)
def test_ids_of_many_sentences_are_those_of_each(texts: list[str], lowercase: bool) -> None:
    """Arbitrary Unicode, lone surrogates among it."""
    words = [word for text in texts[::2] for word in text.split()]
    tokenizer = WordTokenizer.train(["a b ab", *words], lowercase=lowercase, split="whitespace")
    many = [*texts, "<unk> a  b", " <eos> A <pad>", "", "  "] * (MANY // 4)
    assert len(many) >= MANY
    expected = [i for text in many for i in (*tokenizer.encode(text), EOS)]
    assert encode_corpus(tokenizer, many).tolist() == expected


@pytest.mark.parametrize(
    ("name", "value"), [("SPREAD", 2.5), ("SPREAD", 1.0), ("SPREAD", 0.1), ("KEY_BITS", 9)]
)
def test_the_index_finds_what_the_search_finds(
    model: NGramLanguageModel, name: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room, crowded, far too small, and where no key fits."""
    monkeypatch.setattr(index, name, value)
    tables, rng = model.tables, np.random.default_rng(1)
    find = index.HashFinder(tables)
    for k in range(1, tables.order):
        level, above = tables.levels[k - 1], tables.levels[k]
        parent = np.repeat(np.arange(len(level)), np.diff(level.begin[:-1]))
        contexts = np.concatenate([parent, rng.integers(0, len(level) + 1, 3_000)])
        drawn = rng.integers(0, tables.vocabulary_size, 3_000)
        words = np.concatenate([above.words[:-1], drawn]).astype(np.int32)
        expected = query.find(tables, k, contexts, words)
        assert expected[: len(above)].tolist() == list(range(len(above)))
        np.testing.assert_array_equal(find(k, contexts, words), expected)


@pytest.mark.parametrize("smoothing", ["kneser_ney", "stupid_backoff", "mle"])
def test_scores_in_chunks_and_threads_are_those_of_each_sentence(
    smoothing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentences, "CHUNK", 7)
    monkeypatch.setattr(sentences, "CPUS", 3)
    model = NGramLanguageModel.train(lines_of("corpus.txt"), 3, smoothing, tokenizer="whitespace")
    texts = [*lines_of("test.txt"), "", "an unknown word", *lines_of("corpus.txt")[:40]]
    alone = [model.score([text])[0] for text in texts]
    assert model.score(texts) == alone
    model.scorer.make_index()
    assert model.score(texts) == alone


def test_the_index_is_made_when_it_pays() -> None:
    model = NGramLanguageModel.train(lines_of("corpus.txt"), 3, tokenizer="whitespace")
    model.score(["the dog"])
    assert model.scorer.find is None
    for _ in range(2):
        model.score(lines_of("corpus.txt"))
    assert model.scorer.find is not None
