"""The word tokenizer: its rules, and the same ids in Python and in the graph for any text."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.corpus import english
from zoo.errors import ZooError
from zoo.text import BOS, EOS, PAD, WordTokenizer, codepoints, load_tokenizer
from zoo.text.graph.tokenizers import graph_tokenizer

CORPUS = [*english(60), "Don't pay 1,000.50 (yet)!", "Der Fluß ist grün.", '"Oh no", he said.']
VARIANTS = {
    "lower": WordTokenizer.train(CORPUS),
    "cased": WordTokenizer.train(CORPUS, lowercase=False),
    "whitespace": WordTokenizer.train(CORPUS, split="whitespace", lowercase=False),
    "whitespace_lower": WordTokenizer.train(CORPUS, split="whitespace"),
    "spaces": WordTokenizer.train([*CORPUS, "5\u00a0km a\x0bb"], split="spaces", lowercase=False),
}
TRICKY = "İΣ ΑΣ a’b don''t 1.2.3,4 .5 5. \x00\u200b\ufeff x\u0301 😀👩\u200d🔬 <eos> <unk> ǅ \u2028"
TRICKY += " 5\u00a0km\x0b"
# Half arbitrary Unicode, half made of the characters that the rules are about.
texts = st.one_of(st.text(max_size=40), st.text("ab1.,'’ \"-()ÜßΣ\u0301\u200d\n\x00", max_size=40))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't pay 1,000.50 (yet)!", ["don't", "pay", "1,000.50", "(", "yet", ")", "!"]),
        ("I’d go", ["i'd", "go"]),
        ("'quoted' o''k", ["'", "quoted", "'", "o", "'", "'", "k"]),
        ("GRÜNER Fluß", ["grüner", "fluß"]),
        ("a\u0301b 東京 x²", ["áb", "東京", "x²"]),
        ("5. 3.14 .5", ["5", ".", "3.14", ".", "5"]),
        ("<eos>", ["<", "eos", ">"]),
        ("a\u00adb\x00c", ["ab", "c"]),
        ("\U0001fae8\U0001fae9", ["\U0001fae8", "\U0001fae9"]),  # newer than the table
        (" \t\n\x00", []),
        ("", []),
    ],
)
def test_rules(text, tokens):
    assert VARIANTS["lower"].tokenize(text) == tokens


@pytest.mark.parametrize("name", VARIANTS)
@settings(max_examples=60, deadline=None)
@given(batch=st.lists(texts, min_size=1, max_size=5))
@example(batch=[TRICKY, "", " "])
def test_graph_and_python_give_the_same_ids(name, batch):
    tokenizer = VARIANTS[name]
    graph = graph_tokenizer(tokenizer).encode(tf.constant(batch)).to_list()
    assert graph == [tokenizer.encode(text) for text in batch]


@pytest.mark.parametrize("name", VARIANTS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_graph_and_python_give_the_same_text(name, data):
    tokenizer = VARIANTS[name]
    ids = st.integers(0, tokenizer.vocabulary_size - 1)
    rows = data.draw(st.lists(st.lists(ids, min_size=6, max_size=6), min_size=1, max_size=4))
    graph = graph_tokenizer(tokenizer).decode(tf.constant(rows, tf.int32)).numpy()
    assert [text.decode() for text in graph] == [tokenizer.decode(row) for row in rows]


@pytest.mark.parametrize("name", ["lower", "whitespace_lower"])
def test_every_code_point_between_letters_and_digits(name):
    """All of Unicode that is assigned, 64 code points a text, so that the sweep takes seconds.

    Of the planes from U+40000 on, private or empty but for the tags and variation selectors at
    the start of plane 14, each 101st.
    """
    points = [chr(p) for p in range(0x40000) if not 0xD800 <= p < 0xE000]
    points += [chr(p) for p in range(0x40000, codepoints.CODE_POINTS, 101)]
    points += [chr(p) for p in range(0xE0000, 0xE0200)]
    batch = [
        " ".join(f"a{c}b 1{c}2" for c in points[start : start + 64])
        for start in range(0, len(points), 64)
    ]
    tokenizer = VARIANTS[name]
    graph = graph_tokenizer(tokenizer).tokenize(tf.constant(batch))
    python = [[token.encode() for token in tokenizer.tokenize(text)] for text in batch]
    assert graph.row_lengths().numpy().tolist() == [len(tokens) for tokens in python]
    assert graph.values.numpy().tolist() == [token for tokens in python for token in tokens]


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=4),
            st.sampled_from([b"the ", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf"]),
        )
    )
)
@example(pieces=[b"the \xff\xfe cat \xc3"])
def test_bytes_that_are_no_utf8_are_read_as_python_reads_them(pieces):
    text = b"".join(pieces)
    tokens = graph_tokenizer(VARIANTS["lower"]).tokenize(tf.constant([text])).to_list()[0]
    replaced = text.decode("utf-8", errors="replace")
    assert [token.decode() for token in tokens] == VARIANTS["lower"].tokenize(replaced)


def test_tokenised_corpora_are_cut_at_white_space_alone():
    text = "a \ufeff b\u200bc \u2003 @-@ <unk> \x1f I’m"
    tokens = VARIANTS["whitespace"].tokenize(text)
    assert tokens == text.split() == ["a", "\ufeff", "b\u200bc", "@-@", "<unk>", "I’m"]
    assert graph_tokenizer(VARIANTS["whitespace"]).tokenize(tf.constant([text])).to_list() == [
        [token.encode() for token in tokens]
    ]


def test_corpora_of_kenlm_are_cut_at_the_spaces_of_ascii_alone():
    text = " 5\u00a0km\ta\x0bb\r\nc\u2028d\x1ce\x85f\u3000 \x0c"
    tokens = VARIANTS["spaces"].tokenize(text)
    assert tokens == ["5\u00a0km", "a\x0bb", "c\u2028d\x1ce\x85f\u3000", "\x0c"]
    assert VARIANTS["spaces"].encode(text)[:2] == VARIANTS["spaces"].encode("5\u00a0km a\x0bb")
    assert 1 not in VARIANTS["spaces"].encode("5\u00a0km a\x0bb")


def test_words_that_no_file_can_hold_are_left_out_of_vocabularies():
    tokenizer = WordTokenizer.train(["a\x00b ok \ud800"], split="whitespace")
    assert tokenizer.vocabulary[4:] == ("ok",)


@pytest.mark.parametrize("text", ["word " * 10_000, "x" * 1_000_000], ids=["words", "letters"])
def test_long_texts(text):
    tokenizer = VARIANTS["lower"]
    assert graph_tokenizer(tokenizer).encode(tf.constant([text])).to_list() == [
        tokenizer.encode(text)
    ]


@pytest.mark.parametrize("name", VARIANTS)
def test_no_text_produces_a_control_id(name):
    text = "<pad> <unk> <bos> <eos> the"
    ids = VARIANTS[name].encode(text)
    assert not {PAD, BOS, EOS} & set(ids)
    assert graph_tokenizer(VARIANTS[name]).encode(tf.constant([text])).to_list() == [ids]


@pytest.mark.parametrize(
    "text",
    [
        'he said, "oh no!" and (twice) paid $5, i.e. 50% of 1,000.50; isn\'t it?',
        "wow: twenty-five… [sic] {a} and/or #1, at 2:30 p.m.",
        "„ja“, sagte er; „nein!“ «oui?» »nein« “no” ‘so",
        "nord- und ostsee, vor- oder nachmittags",
        '"not closed',
        "the dogs' tails",
    ],
)
def test_detokenization_puts_punctuation_back(text):
    tokenizer = WordTokenizer.train([text])
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert (
        graph_tokenizer(tokenizer).decode(tf.constant([ids], tf.int32)).numpy()[0].decode() == text
    )


def test_tokens_of_other_cutters_are_joined_too():
    assert VARIANTS["lower"].detokenize(["do", "n't", "go", "!"]) == "don't go!"


def test_vocabulary_is_by_frequency_then_alphabet():
    tokenizer = WordTokenizer.train(["b b a c c", "d"], size=7)
    assert tokenizer.vocabulary == ("<pad>", "<unk>", "<bos>", "<eos>", "b", "c", "a")
    assert WordTokenizer.train(["b b a"], min_count=2).vocabulary[4:] == ("b",)


def test_save_and_load(tmp_path):
    tokenizer = VARIANTS["whitespace_lower"]
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.vocabulary == tokenizer.vocabulary
    assert loaded.get_config() == tokenizer.get_config()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tokenizer.json", "vocabulary.txt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut off"),
        (b"the\ncat\n", "does not start with <pad>"),
        (b"<pad>\n<unk>\n<bos>\n<eos>\nthe\nthe\n", "line 6: 'the' stands there twice"),
        (b"<pad>\n<unk>\n<bos>\n<eos>\n\n", "line 5"),
        (b"<pad>\n<unk>\n<bos>\n<eos>\nth", "cut off"),
        (b"<pad>\n<unk>\n<bos>\n<eos>\n\xff\n", "not UTF-8"),
        (b"<pad>\n<unk>\n<bos>\n<eos>\na\x00b\n", "is not a word"),
    ],
)
def test_damaged_vocabularies_are_refused(content, message, tmp_path):
    VARIANTS["lower"].save(tmp_path)
    (tmp_path / "vocabulary.txt").write_bytes(content)
    with pytest.raises(ZooError, match=message):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        json.dumps({"class": "os.system", "config": {}}),
        json.dumps({"class": ["WordTokenizer"], "config": {}}),
    ],
)
def test_damaged_settings_are_refused(content, tmp_path):
    VARIANTS["lower"].save(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(ZooError, match="tokenizer"):
        load_tokenizer(tmp_path)


def test_graph_tables_are_small():
    graph = graph_tokenizer(VARIANTS["lower"])
    numeric = [v for v in graph.variables if v.dtype != tf.string]
    whole = sum(np.prod(v.shape) * v.dtype.size for v in numeric)
    normalizer = sum(np.prod(v.shape) * v.dtype.size for v in graph.cut.normalizer.variables)
    assert whole - normalizer < 200_000
    assert normalizer < 80_000
