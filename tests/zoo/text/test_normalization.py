"""Normal forms: the graph's against Python's, and the same ids whichever way a text is written."""

from __future__ import annotations

import unicodedata
from itertools import chain, pairwise

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.corpus import all_sentences
from zoo.errors import ZooError
from zoo.presets.store import shipped_presets
from zoo.text import SubwordTokenizer, WordTokenizer, codepoints, load_tokenizer, normalization
from zoo.text.graph.normalization import Normalizer
from zoo.text.graph.tokenizers import graph_tokenizer

FORMS = ("NFC", "NFD", "NFKC", "NFKD")
MARKS = "\u0300\u0301\u0302\u0303\u0307\u0308\u030a\u0323\u0327\u0331\u0338\u0345\u05b0\u3099\u0e48"
LETTERS = "aeiouAEIHTWJnsÅéüßﬁＩｈ½²ſΩαωΪᾳあか힣각각ᆩ가\u0f71\u0f72\u09c7\u09be\u1100\u1161\ufdfa"
HIDDEN = "\u00ad\u034f\u200e\u200f\u2060\ufeff\ufe0f"
texts = st.one_of(
    st.text(LETTERS + MARKS * 2 + HIDDEN + " '’.\u200d", max_size=30),
    st.text(st.characters(categories=("L", "M", "N", "Cf")), max_size=20),
    st.text(max_size=20),
)
SENTENCES = [text for pair in all_sentences()[:60] for text in pair] + ["Ḧẗ ẖ Σ ½ ﬁn Iı İ 각 '’"]
TOKENIZERS = {
    f"{name} {form}": train(SENTENCES, lowercase=lowercase, normalization=form, **more)
    for form in normalization.NORMALIZATIONS
    for name, train, lowercase, more in [
        ("words", WordTokenizer.train, True, {}),
        ("capitals", WordTokenizer.train, False, {}),
        ("white space", WordTokenizer.train, form == "NFKC", {"split": "whitespace"}),
        ("pieces", SubwordTokenizer.train, True, {"size": 120}),
    ]
}


@pytest.fixture(scope="module", params=normalization.FORMS)
def normalize(request):
    """The graph of a form: texts -> code points of each, the separator behind them dropped."""
    module = Normalizer(request.param)
    run = tf.function(module.__call__, reduce_retracing=True)

    def normalized(batch):
        points = [[ord(letter) for letter in f"{text} "] for text in batch]
        splits = np.cumsum([0, *map(len, points)])
        found, splits = run(
            tf.constant(list(chain(*points)), tf.int32), tf.constant(splits, tf.int64)
        )
        found = found.numpy().tolist()
        return ["".join(map(chr, found[a : b - 1])) for a, b in pairwise(splits.numpy().tolist())]

    normalized.form = request.param
    return normalized


def expected(form, batch):
    return [unicodedata.normalize(form, text) for text in batch]


def test_the_graph_gives_the_normal_form_of_every_code_point(normalize):
    points = [chr(p) for p in range(codepoints.CODE_POINTS) if not 0xD800 <= p < 0xE000]
    rows = ["x".join(points[start : start + 256]) for start in range(0, len(points), 256)]
    assert normalize(rows) == expected(normalize.form, rows)


def test_the_graph_composes_what_can_be_decomposed_between_other_marks(normalize):
    """Every letter that has parts: alone, and with marks of three classes before and behind."""
    composed = [
        unicodedata.normalize("NFD", chr(p))
        for p in [*normalization.decompositions("NFC").points[:-1].tolist(), *range(0xAC00, 0xAD00)]
    ]
    rows = [
        f"{start}{letter}{end}"
        for letter in composed
        for start, end in [("", ""), ("\u0301", "\u0323\u0301"), ("e", "\u0338"), ("\u1100", "ᆨ")]
    ]
    rows += [letter[:1] + "\u0316" + letter[1:] for letter in composed]
    assert normalize(rows) == expected(normalize.form, rows)


@settings(max_examples=100, deadline=None)
@given(batch=st.lists(texts, min_size=1, max_size=4))
@example(batch=["\u0301", "\u0301a", "", "a\u0323\u0307", "\u1100\u1161\u11a8\u11a8", "\u0344"])
def test_the_graph_gives_pythons_normal_form(normalize, batch):
    assert normalize(batch) == expected(normalize.form, batch)


def test_a_long_run_of_marks_takes_few_rounds(normalize):
    text = "a" + "\u0301\u0323" * 3_000 + "\u1100" + "\u1161" * 3_000
    assert normalize([text]) == expected(normalize.form, [text])


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=12, deadline=None)
@given(batch=st.lists(texts, min_size=1, max_size=3))
@example(batch=["H\u0331\u0308 I\u0307 \u0130", "e\u00ad\u0301", "\u03aa\u0301", ""])
def test_graph_and_python_give_the_same_ids(name, batch):
    tokenizer = TOKENIZERS[name]
    graph = graph_tokenizer(tokenizer).encode(tf.constant(batch)).to_list()
    assert graph == [tokenizer.encode(text) for text in batch]


@pytest.mark.parametrize("name", [name for name in TOKENIZERS if "none" not in name])
@settings(max_examples=12, deadline=None)
@given(text=texts)
def test_equivalent_texts_have_the_same_tokens(name, text):
    tokenizer = TOKENIZERS[name]
    forms = FORMS if tokenizer.normalization == "NFKC" else FORMS[:2]
    tokens = [tokenizer.tokenize(text), *(tokenizer.tokenize(unicodedata.normalize(form, text))
                                          for form in forms)]  # fmt: skip
    assert tokens == [tokens[0]] * len(tokens)
    assert all(unicodedata.is_normalized(tokenizer.normalization, token) or len(token) == 1
               for token in tokens[0] if not token.startswith("##"))  # fmt: skip


@pytest.mark.parametrize(
    "text", ["Kin\u00adder\u00adgarten", "\ufeffKin\u2060der\u200eg\u200fart\ufe0fen"]
)
@pytest.mark.parametrize("name", ["words NFC", "capitals none", "pieces NFKC"])
def test_what_is_not_seen_does_not_cut_a_word(text, name):
    tokenizer = TOKENIZERS[name]
    assert tokenizer.encode(text) == tokenizer.encode("Kindergarten")
    assert graph_tokenizer(tokenizer).encode(tf.constant([text])).to_list() == [
        tokenizer.encode("Kindergarten")
    ]


def test_a_zero_width_space_cuts_and_joiners_belong_to_their_words():
    tokenizer = TOKENIZERS["words NFC"]
    assert tokenizer.tokenize("a\u200bb c\u200dd") == ["a", "b", "c\u200dd"]
    assert tokenizer.tokenize("\u2764\ufe0f") == ["\u2764"]


@pytest.mark.parametrize("form", normalization.FORMS)
def test_what_is_folded_is_normalised_and_folds_to_itself(form):
    for lowercase in (False, True):
        folds = codepoints.folds(lowercase)
        assert (folds[folds] == folds).all()
    normal = [chr(p) for p in range(codepoints.CODE_POINTS) if not 0xD800 <= p < 0xE000]
    normal = [letter for letter in normal if unicodedata.is_normalized(form, letter)]
    assert all(unicodedata.is_normalized(form, chr(folds[ord(letter)])) for letter in normal)


@pytest.mark.parametrize("preset", shipped_presets().values(), ids=shipped_presets())
def test_presets_read_decomposed_sentences_as_composed_ones(preset):
    folders = [path.parent for path in preset.rglob("tokenizer.json")]
    assert folders
    for folder in folders:
        tokenizer = load_tokenizer(folder)
        for text in SENTENCES:
            other = unicodedata.normalize("NFD", text)
            assert tokenizer.encode(other) == tokenizer.encode(unicodedata.normalize("NFC", text))
        if tokenizer.normalization == "NFKC":
            assert tokenizer.encode("ﬁnd Ｉ") == tokenizer.encode("find I")


def test_unknown_forms_are_refused(tmp_path):
    with pytest.raises(ZooError, match="normalization='NFD': use 'NFC', 'NFKC' or 'none'"):
        WordTokenizer.train(["a"], normalization="NFD")
    TOKENIZERS["pieces NFKC"].save(tmp_path)
    assert load_tokenizer(tmp_path).normalization == "NFKC"


def test_words_of_other_tools_that_are_not_composed_are_read_as_they_are():
    assert normalization.normalization_of(["a", "é"]) == "NFC"
    assert normalization.normalization_of(["a", "e\u0301"]) == "none"
    tokenizer = TOKENIZERS["white space none"]
    assert tokenizer.tokenize("e\u0301 \u00ada") == ["e\u0301", "\u00ada"]
