"""Byte-pair encoding: against a slow textbook version, and the graph against Python."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.corpus import all_sentences, english
from zoo.errors import ZooError
from zoo.text import EOS, PAD, UNK, SubwordTokenizer, WordTokenizer, bpe, load_tokenizer
from zoo.text.graph.tokenizers import graph_tokenizer
from zoo.text.vocabulary import CONTROL_TOKENS

CORPUS = [text for pair in all_sentences()[:150] for text in pair]
CORPUS += ["aaaa aaaaa banana bananas", "3.14 don't (1,000)! # ##x Ünï ß"]
LOWER = SubwordTokenizer.train(CORPUS, size=200)
CASED = SubwordTokenizer.train(CORPUS, size=400, lowercase=False)
TRICKY = "aaaaaaa banananas İΣ ΑΣ a’b ##the ## # \x00\u200b x\u0301 😀 <eos> <unk> garten\ngroßes"
# Half arbitrary Unicode, half what the learned pieces are made of.
texts = st.one_of(st.text(max_size=30), st.text("aabnsthegrenü#' ,.1\n", max_size=60))


def textbook_merges(counts, number):
    """Count all pairs of all words anew for each merge."""
    words = {word: bpe.characters(word) for word in counts}
    pieces = []
    for _ in range(number):
        pairs = Counter()
        for word, count in counts.items():
            for pair in pairwise(words[word]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < 2:
            break
        pieces.append(bpe.merged(*best))
        words = {word: bpe.merge_all(parts, best) for word, parts in words.items()}
    return pieces, words


def test_learning_and_cutting_equal_the_textbook():
    counts = Counter(
        word for text in CORPUS for word in WordTokenizer(CONTROL_TOKENS).tokenize(text)
    )
    merges, words = textbook_merges(counts, 120)
    letters = {piece for word in counts for letter in word for piece in (letter, f"##{letter}")}
    learned = bpe.learn(counts, len(LOWER.vocabulary), 1)
    alphabet = [piece for piece in learned if len(piece.removeprefix("##")) == 1]
    assert set(alphabet) <= letters
    pieces = bpe.learn(counts, len(alphabet) + 120, 1)
    assert pieces[len(alphabet) :] == merges
    tokenizer = SubwordTokenizer((*CONTROL_TOKENS, *pieces))
    assert {word: tokenizer.pieces(word) for word in words} == words


def test_pieces_of_a_text():
    tokenizer = SubwordTokenizer.train(["low lower lowest"] * 3, size=24)
    assert tokenizer.tokenize("lowest, slow") == ["lowest", ",", "s", "##l", "##ow"]
    assert tokenizer.decode(tokenizer.encode("Lowest slow")) == "lowest slow"
    assert tokenizer.encode("") == []


@pytest.mark.parametrize("tokenizer", [LOWER, CASED], ids=["lower", "cased"])
@settings(max_examples=60, deadline=None)
@given(batch=st.lists(texts, min_size=1, max_size=5))
@example(batch=[TRICKY, "", " "])
@example(batch=[""])
def test_graph_and_python_give_the_same_ids(tokenizer, batch):
    graph = graph_tokenizer(tokenizer).encode(tf.constant(batch)).to_list()
    assert graph == [tokenizer.encode(text) for text in batch]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_graph_and_python_give_the_same_text(data):
    ids = st.integers(0, LOWER.vocabulary_size - 1)
    rows = data.draw(st.lists(st.lists(ids, min_size=8, max_size=8), min_size=1, max_size=4))
    graph = graph_tokenizer(LOWER).decode(tf.constant(rows, tf.int32)).numpy()
    assert [text.decode() for text in graph] == [LOWER.decode(row) for row in rows]


@settings(max_examples=30, deadline=None)
@given(text=texts)
def test_pieces_put_together_are_the_words(text):
    whole = WordTokenizer(CONTROL_TOKENS).tokenize(text)
    assert "".join(piece.removeprefix("##") if len(piece) > 2 else piece
                   for piece in LOWER.tokenize(text)) == "".join(whole)  # fmt: skip
    assert LOWER.count_unknown(LOWER.encode(text)) == sum(
        piece not in LOWER.vocabulary for piece in LOWER.tokenize(text)
    )


@pytest.mark.parametrize("text", ["the garden " * 5_000, "gartenbanane" * 80_000])
def test_long_texts(text):
    assert graph_tokenizer(LOWER).encode(tf.constant([text])).to_list() == [LOWER.encode(text)]


def test_every_known_word_survives_in_python_and_in_the_graph():
    for sentence in english(40):
        ids = CASED.encode(sentence)
        assert CASED.decode(ids) == sentence
        assert UNK not in ids
        row = tf.constant([[*ids, EOS, 9, PAD]], tf.int32)
        assert graph_tokenizer(CASED).decode(row).numpy()[0].decode() == sentence


def test_an_exported_graph_needs_the_folder_alone(tmp_path):
    module = tf.Module()
    module.text = graph_tokenizer(LOWER)
    encode = tf.function(
        lambda text: module.text.encode(text).to_tensor(),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path), signatures={"encode": encode})
    signature = tf.saved_model.load(str(tmp_path)).signatures["encode"]
    (ids,) = signature(tf.constant(["The green gardens."])).values()
    assert ids.numpy().tolist() == [LOWER.encode("The green gardens.")]
    assert (tmp_path / "assets" / "vocabulary.txt").is_file()


def test_size_and_min_count():
    assert SubwordTokenizer.train(CORPUS, size=60).vocabulary == LOWER.vocabulary[:60]
    rare = SubwordTokenizer.train(["ab ab ab q"], min_count=2)
    assert "q" not in rare.vocabulary
    assert rare.tokenize("ab q") == ["ab", "q"]
    assert rare.encode("ab q")[1] == UNK
    with pytest.raises(ZooError, match="vocabulary size 4"):
        SubwordTokenizer.train(CORPUS, size=4)


def test_save_and_load(tmp_path):
    CASED.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, SubwordTokenizer)
    assert loaded.vocabulary == CASED.vocabulary
    assert loaded.encode(TRICKY) == CASED.encode(TRICKY)


def test_vocabularies_that_no_merges_make_are_refused(tmp_path):
    LOWER.save(tmp_path)
    words = WordTokenizer.train(["the cat"])
    (tmp_path / "vocabulary.txt").write_text("\n".join([*words.vocabulary, ""]), encoding="utf-8")
    with pytest.raises(ZooError, match="line 5: piece 'cat' is not made of"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"class": "SubwordTokenizer", "config": {"x": 1}}')
    with pytest.raises(ZooError, match="no such settings"):
        load_tokenizer(tmp_path)


def test_graph_tables_are_small():
    graph = graph_tokenizer(LOWER)
    numeric = [v for v in graph.variables if v.dtype != tf.string]
    whole = sum(np.prod(v.shape) * v.dtype.size for v in numeric)
    normalizer = sum(np.prod(v.shape) * v.dtype.size for v in graph.cut.normalizer.variables)
    assert whole - normalizer < 250_000
    assert normalizer < 80_000
