"""Scoring much text: arrays of bytes, look-ups by hash and threads change no figure."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.ngrams import lines_of
from zoo.models.ngram import NGramLanguageModel
from zoo.ngrams import query, sentences
from zoo.ngrams.corpus import MANY, encode_corpus
from zoo.ngrams.index import index, perfect_hash, whitespace
from zoo.text import EOS, WordTokenizer

SPLITS = st.sampled_from(["whitespace", "spaces"])
TEXT = st.text(
    st.one_of(st.sampled_from("ab \t\n\r\x1c\x85\xa0\u2003\u3000<unk>É\0"), st.characters())
)


@pytest.fixture(scope="module")
def model() -> NGramLanguageModel:
    return NGramLanguageModel.train(lines_of("corpus.txt"), 4, tokenizer="whitespace")


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8), st.booleans(), SPLITS)
@example(["a \ud800 b", "c"], False, "whitespace")
@example(["5\u00a0km\ta\x0bb", "c\u2028d\r\x1ce f"], False, "spaces")
def test_ids_of_many_sentences_are_those_of_each(
    texts: list[str], lowercase: bool, split: str
) -> None:
    """Arbitrary Unicode, lone surrogates among it."""
    words = [word for text in texts[::2] for word in text.split()]
    tokenizer = WordTokenizer.train(["a b ab", *words, *texts[::2]], None, 1, lowercase, split)
    many = [*texts, "<unk> a  b", " <eos> A <pad>", "", "  "] * (MANY // 4)
    assert len(many) >= MANY
    expected = [i for text in many for i in (*tokenizer.encode(text), EOS)]
    assert encode_corpus(tokenizer, many).tolist() == expected


@pytest.mark.parametrize("letter", ["a", "é", "字"])
def test_words_of_every_length_are_told_apart(letter: str) -> None:
    """Known and unknown words that differ in one place, about the widths that keys are read in."""
    words = [letter * n for n in range(1, 30)]
    words += [letter * n + "b" + letter * m for n in range(20) for m in (0, 1, 7)]
    tokenizer = WordTokenizer.train([" ".join(words)], lowercase=False, split="whitespace")
    changed = [w[:i] + "c" + w[i + 1 :] for w in words for i in range(0, len(w), 3)]
    texts = [f"{known} {other}" for known in words[::3] for other in changed[::5]]
    assert len(texts) >= MANY
    expected = [i for text in texts for i in (*tokenizer.encode(text), EOS)]
    assert encode_corpus(tokenizer, texts).tolist() == expected


def test_long_words_with_the_same_key_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitespace, "FIRST_MULTIPLIER", np.uint64(0))
    words = [f"{i:08d}suffix" for i in range(50)]  # all have one key
    tokenizer = WordTokenizer.train([" ".join(words)], lowercase=False, split="whitespace")
    texts = [*words, "99999999suffix"] * 2
    expected = [i for text in texts for i in (*tokenizer.encode(text), EOS)]
    assert encode_corpus(tokenizer, texts).tolist() == expected


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [(perfect_hash, "FULL", 0.88), (perfect_hash, "FULL", 0.2), (index, "KEY_BITS", 9)],
)
def test_the_index_finds_what_the_search_finds(
    model: NGramLanguageModel,
    module: ModuleType,
    name: str,
    value: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Crowded, with room, and where no key fits."""
    monkeypatch.setattr(module, name, value)
    tables, rng = model.tables, np.random.default_rng(1)
    find = index.HashFinder(tables)
    for k in range(1, tables.order):
        level, above = tables.levels[k - 1], tables.levels[k]
        parent = np.repeat(np.arange(len(level)), np.diff(level.begin[:-1]))
        contexts = np.concatenate([parent, rng.integers(0, len(level) + 1, 3_000)])
        drawn = rng.integers(0, tables.vocabulary_size, 3_000)
        words = np.concatenate([above.words[:-1], drawn]).astype(np.int64)
        expected = query.find(tables, k, contexts, words)
        assert expected[: len(above)].tolist() == list(range(len(above)))
        found, plain = find(k, contexts, words), query.search(tables, k, contexts, words)
        np.testing.assert_array_equal(found.hit, np.flatnonzero(expected != above.missing))
        for got, wanted in zip(found[: 3 + (k + 1 < tables.order)], plain, strict=False):
            np.testing.assert_array_equal(got, wanted)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=300), st.integers(0, 40))
def test_keys_have_places_of_their_own(drawn: list[int], shift: int) -> None:
    keys = np.unique(np.array(drawn, np.uint64) >> np.uint64(shift))
    places = perfect_hash.PerfectHash.of(keys)(keys)
    assert len(np.unique(places)) == len(keys)


def test_keys_of_a_regular_pattern_have_places_of_their_own() -> None:
    for step in (1, 2**20, 2**31 - 1, 2**43):
        keys = np.arange(20_000, dtype=np.uint64) * np.uint64(step)
        made = perfect_hash.PerfectHash.of(keys)
        assert len(np.unique(made(keys))) == len(keys)
        assert made.size < 4 * len(keys)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="not distinct"):
        perfect_hash.PerfectHash.of(np.array([5, 5], np.uint64))


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
    while model.scorer.tokens <= index.PAYS_AFTER * model.tables.entries:
        assert model.scorer.find is None
        model.score(lines_of("corpus.txt"))
    model.score(["the dog"])
    assert model.scorer.find is not None
