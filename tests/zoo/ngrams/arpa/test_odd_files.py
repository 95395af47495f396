"""Odd ARPA files against what KenLM makes of them, and that our own files are read back."""

from __future__ import annotations

import gzip
import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.ngrams import SENTENCES, trained
from tests.zoo.ngrams.record_kenlm import ODD, RECORD, record, recorded
from zoo.errors import ZooError
from zoo.models.ngram import NGramLanguageModel
from zoo.ngrams.query import stream_log_probs
from zoo.text import BOS, EOS, WordTokenizer

# What KenLM refuses and we read: nothing in it can be misunderstood.
READ_HERE = {"byte_order_mark", "preface"}
# What KenLM reads and we refuse, and why.
REFUSED_HERE = {
    "twice": "line 15: this 2-gram stands there twice",
}
LOG_OF_ZERO = {"minus_99"}  # -99 is the logarithm of 0 here, as SRILM writes it
NAMES = sorted({name for name, _, _ in recorded()})


def scores_of(model: NGramLanguageModel, text: str) -> np.ndarray:
    stream = np.array([BOS, *model.tokenizer.encode(text), EOS], np.int32)
    return stream_log_probs(model.tables, stream)[1:] / math.log(10)


@pytest.mark.parametrize("name", NAMES)
def test_what_kenlm_reads_is_read_with_its_scores(name: str) -> None:
    rows = [(text, scores) for stem, text, scores in recorded() if stem == name]
    refused = rows == [("", "refused")]
    path = ODD / f"{name}.arpa"
    if name in REFUSED_HERE or (refused and name not in READ_HERE):
        with pytest.raises(ZooError, match=f"{name}.arpa, .*{REFUSED_HERE.get(name, '')}"):
            NGramLanguageModel.from_arpa(path)
        return
    model = NGramLanguageModel.from_arpa(path)
    for text, scores in rows if not refused else []:
        wanted = np.array([float(score) for score in scores.split()])
        if name in LOG_OF_ZERO:
            wanted[wanted < -90] = -np.inf
        np.testing.assert_allclose(scores_of(model, text), wanted, rtol=1e-5, atol=1e-6)


def test_the_record_names_every_odd_file() -> None:
    assert sorted(path.stem for path in ODD.glob("*.arpa")) == NAMES


@pytest.mark.skipif(
    importlib.util.find_spec("kenlm") is None, reason="the kenlm module is not installed"
)
def test_the_record_is_what_kenlm_says() -> None:
    assert record() == RECORD.read_text(encoding="utf-8")


def test_a_byte_order_mark_changes_nothing() -> None:
    marked, plain = (
        NGramLanguageModel.from_arpa(ODD / f"{name}.arpa") for name in ("byte_order_mark", "plain")
    )
    assert scores_of(marked, "a b").tolist() == scores_of(plain, "a b").tolist()


SMOOTHINGS = st.sampled_from(
    [
        {"smoothing": "mle"},
        {"smoothing": "add_k", "k": 0.1},
        {"smoothing": "kneser_ney"},
        {"smoothing": "kneser_ney", "modified": False},
        {"smoothing": "kneser_ney", "prune": [0, 9, 9]},
        {"smoothing": "kneser_ney", "prune": (0, 0, 1), "discount_fallback": (0.5,)},
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    SENTENCES,
    st.integers(1, 5),
    SMOOTHINGS,
    st.sampled_from([{}, {"min_count": 2}, {"vocabulary_size": 6}]),
)
def test_every_model_that_can_be_trained_is_read_back_from_its_file(
    tmp_path_factory: pytest.TempPathFactory,
    sentences: list[tuple[str, ...]],
    order: int,
    options: dict[str, object],
    unknown: dict[str, object],
) -> None:
    model = trained(sentences, order, **options, **unknown)
    path = tmp_path_factory.mktemp("arpa") / "model.arpa"
    model.save_arpa(path)
    again = NGramLanguageModel.from_arpa(path)
    assert again.order == order
    for text in ["", "a", "a b c", "zzz a", *(" ".join(sentence) for sentence in sentences[:3])]:
        np.testing.assert_allclose(scores_of(again, text), scores_of(model, text), atol=1e-5)


def test_a_corpus_shorter_than_the_order_is_read_back(tmp_path: Path) -> None:
    model = NGramLanguageModel.train(["yes", "no"], tokenizer="whitespace")
    model.save_arpa(tmp_path / "yes_no.arpa")
    assert b"ngram 4=0\n" in (tmp_path / "yes_no.arpa").read_bytes()
    again = NGramLanguageModel.from_arpa(tmp_path / "yes_no.arpa")
    assert again.score(["yes"])[0].log_prob / math.log(10) == pytest.approx(-0.49975, abs=2e-5)
    assert [word for word, _ in again.next_words([""], k=2)[0]] == ["no", "yes"]
    again.save_to_preset(tmp_path / "preset")
    loaded = NGramLanguageModel.from_preset(tmp_path / "preset")
    loaded.scorer.make_index()
    assert loaded.score(["yes", "no no"]) == again.score(["yes", "no no"])


def test_a_word_with_a_name_that_arpa_files_keep_is_not_written(tmp_path: Path) -> None:
    model = trained([("a", "<UNK>")], 2)
    with pytest.raises(ZooError, match="the word '<UNK>', a name that ARPA files keep"):
        model.save_arpa(tmp_path / "model.arpa")


@pytest.mark.parametrize(
    ("fallback", "wanted"),
    [
        (True, (0.5, 1.0, 1.5)),
        ((0.5,), (0.5, 0.5, 0.5)),
        (0.25, (0.25, 0.25, 0.25)),
        ([0.1, 2], (0.1, 2.0, 2.0)),
        ((0.5, 1, 3), (0.5, 1.0, 3.0)),
    ],
)
def test_fallback_discounts_are_given_as_to_kenlm(
    fallback: object, wanted: tuple[float, ...]
) -> None:
    assert trained([("a",)], 2, discount_fallback=fallback).discounts[0] == wanted


@pytest.mark.parametrize("fallback", [(), (1.5,), (0.5, 1, 1.5, 2), (0.5, -1), "x", (np.nan,), {}])
def test_wrong_fallback_discounts_are_refused_in_one_line(fallback: object) -> None:
    with pytest.raises(ZooError, match=re.escape(f"discount_fallback={fallback!r}: give at most")):
        trained([("a",)], 2, discount_fallback=fallback)


def test_no_fallback_refuses_a_corpus_too_small() -> None:
    with pytest.raises(ZooError, match="give no discounts: train on more text"):
        trained([("a",)], 2, discount_fallback=False)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("word_with_u")])
def test_a_word_with_any_other_space_is_met_and_kept(name: str, tmp_path: Path) -> None:
    model = NGramLanguageModel.from_arpa(ODD / f"{name}.arpa")
    (word,) = (word for word in model.tokenizer.vocabulary if word.startswith("x"))
    assert len(word) > 2
    assert model.score([f"a {word}", f"{word}\ta\r\n"])[1].oov == 0
    many = [f"a {word}", "a zzz"] * 60  # the way of many sentences
    assert [score.oov for score in model.score(many)[:2]] == [0, 1]
    assert word in [found for found, _ in model.next_words(["a"])[0]]
    model.save_to_preset(tmp_path / "preset")
    loaded = NGramLanguageModel.from_preset(tmp_path / "preset")
    loaded.save_arpa(tmp_path / "again.arpa")
    again = NGramLanguageModel.from_arpa(tmp_path / "again.arpa")
    for other in (loaded, again):
        assert other.tokenizer.vocabulary == model.tokenizer.vocabulary
        np.testing.assert_allclose(scores_of(other, f"a {word}"), scores_of(model, f"a {word}"))


def test_a_word_that_an_arpa_file_would_cut_is_not_written(tmp_path: Path) -> None:
    words = WordTokenizer(("<pad>", "<unk>", "<bos>", "<eos>", "a", "New York"), False)
    model = NGramLanguageModel.train(["a", "a a"], 2, "add_k", words)
    with pytest.raises(ZooError, match="the word 'New York': an ARPA file would cut it in two"):
        model.save_arpa(tmp_path / "model.arpa")
    assert list(tmp_path.iterdir()) == []


HEADER = "\\data\\\nngram 1={0}\nngram 2={0}\n\n\\1-grams:\n-1\t<s>\n"


@pytest.mark.parametrize("more", ["", "ngram 3=999999999999999999\n"])
def test_a_header_that_promises_the_moon_costs_nothing(more: str, tmp_path: Path) -> None:
    text = HEADER.format(10**12).replace("\n\n", f"\n{more}\n")
    (tmp_path / "moon.arpa").write_text(text)
    with pytest.raises(ZooError, match=r"moon.arpa, line .*: the file ends after 1 1-grams of the"):
        NGramLanguageModel.from_arpa(tmp_path / "moon.arpa")


@pytest.mark.parametrize("line", [b"a", b"-1\t<s> a\n"], ids=["one line", "the same line"])
def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(line: bytes, tmp_path: Path) -> None:
    start = b"\\data\\\nngram 1=3\nngram 2=99999999\n\n\\1-grams:\n"
    start += b"-1\t<s>\n-1\t</s>\n-1\ta\n\n\\2-grams:\n"
    with gzip.open(tmp_path / "bomb.gz", "wb") as file:
        file.write(start)
        for _ in range(8):
            file.write(line * (2**21 // len(line)))
    with pytest.raises(ZooError, match=r"bomb.gz, line .*unpack to more than 100 times their size"):
        NGramLanguageModel.from_arpa(tmp_path / "bomb.gz")


def test_the_page_on_arpa_files_names_tests_that_are_there() -> None:
    page = (Path(__file__).parents[4] / "docs" / "ngrams-arpa.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    code = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    assert len(named) > 15
    assert named <= set(re.findall(r"^def (test_\w+)", code, re.MULTILINE))
