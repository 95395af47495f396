"""ARPA files: KenLM's and SRILM's are read, ours are read back, damaged ones name their line."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest

from tests.helpers.ngrams import DATA, lines_of
from zoo.errors import ZooError
from zoo.models.ngram import NGramLanguageModel
from zoo.ngrams.query import stream_log_probs
from zoo.ngrams.top import TopWords

# As SRILM writes them: no <unk>, -99 for <s>, no backoff where nothing follows.
SRILM = """
\\data\\
ngram 1=4
ngram 2=3

\\1-grams:
-0.30103\t</s>
-99\t<s>\t-0.39794
-0.60206\ta\t-0.69897
-0.60206\tb

\\2-grams:
-0.09691\t<s> a
-0.69897\ta b
-0.22185\ta </s>

\\end\\
"""


def write(path, text=SRILM):
    path.write_text(text, encoding="utf-8")
    return path


def log10_of(model, text):
    return model.score([text])[0].log_prob / math.log(10)


def test_a_file_of_srilm_by_hand(tmp_path):
    model = NGramLanguageModel.from_arpa(write(tmp_path / "srilm.arpa"))
    assert log10_of(model, "a b") == pytest.approx(-0.09691 - 0.69897 - 0.30103, abs=1e-6)
    assert log10_of(model, "a") == pytest.approx(-0.09691 - 0.22185, abs=1e-6)
    backed_off = -0.39794 - 0.60206  # <s> b: the backoff of <s>, the unigram b
    assert log10_of(model, "b") == pytest.approx(backed_off - 0.30103, abs=1e-6)
    assert model.score(["a c"])[0].oov == 1


@pytest.mark.parametrize("order", [3, 5])
def test_files_of_kenlm_score_as_our_own_estimate(order):
    theirs = NGramLanguageModel.from_arpa(DATA / f"kenlm_order{order}.arpa")
    ours = NGramLanguageModel.train(lines_of("corpus.txt"), order, tokenizer="whitespace")
    texts = [*lines_of("test.txt"), "", "nobody knows this"]
    for one, other in zip(theirs.score(texts), ours.score(texts), strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-4)
        assert (one.tokens, one.oov) == (other.tokens, other.oov)


def test_a_pruned_file_of_kenlm_sums_to_one():
    model = NGramLanguageModel.from_arpa(DATA / "kenlm_pruned.arpa")
    state = model.initial_state(1)
    for word in model.tokenizer.encode("the dog sees"):
        log_probs, state = model.step(np.array([word]), state)
        assert np.exp(log_probs.astype(np.float64)).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
@pytest.mark.parametrize("smoothing", ["kneser_ney", "mle", "add_k"])
def test_written_and_read_back(name, smoothing, tmp_path):
    model = NGramLanguageModel.train(lines_of("corpus.txt"), 3, smoothing, tokenizer="whitespace")
    model.save_arpa(tmp_path / name)
    again = NGramLanguageModel.from_arpa(tmp_path / name)
    opened = gzip.open if name.endswith("gz") else open
    with opened(tmp_path / name, "rb") as file:
        assert b"\\data\\\n" in file.read(100)
    texts = [*lines_of("test.txt")[:20], "an unknown word"]
    for one, other in zip(again.score(texts), model.score(texts), strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=2e-4)


def test_stupid_backoff_has_no_arpa_form(tmp_path):
    model = NGramLanguageModel.train(["a b"], 2, "stupid_backoff", tokenizer="whitespace")
    with pytest.raises(ZooError, match="no place for stupid backoff; use smoothing='kneser_ney'"):
        model.save_arpa(tmp_path / "model.arpa")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ngram 2=3", "ngram 2=2", "line 15: .* where .*end.* should stand"),
        ("ngram 2=3", "ngram 2=4", "line 16: .*the header's count"),
        ("ngram 1=4", "ngram 1=many", "line 3: .*is not 'ngram 1=COUNT'"),
        ("-0.69897\ta b", "nan\ta b", "line 14: log-probability 'nan' is not finite"),
        ("-0.69897\ta b", "0.5\ta b", "line 14: log-probability '0.5' is above 0"),
        ("-0.69897\ta b", "x\ta b", "line 14: log-probability 'x' is not a number"),
        ("-0.69897\ta b", "-0.69897\tc b", "line 14: the word 'c' is not among the 1-grams"),
        ("-0.69897\ta b", "-0.69897\t<s> a", "line 14: this 2-gram stands there twice"),
        ("-0.60206\tb\n", "-0.60206\ta\n", "line 10: the 1-gram 'a' stands there twice"),
        ("-0.39794", "inf", "line 8: backoff 'inf' is not finite"),
        ("\\end\\", "", "the file ends where .*end"),
        (SRILM[60:], "", "line .*: the file ends after . 1-grams of the header's 4"),
        (SRILM, "", "is it an ARPA file"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(old, new, message, tmp_path):
    text = SRILM.replace(old, new, 1)
    assert text != SRILM
    with pytest.raises(ZooError, match=message):
        NGramLanguageModel.from_arpa(write(tmp_path / "damaged.arpa", text))


def test_a_gzip_file_cut_in_half_is_refused(tmp_path):
    content = gzip.compress((DATA / "kenlm_order3.arpa").read_bytes())
    (tmp_path / "cut.arpa.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ZooError, match="line .*: the gzip data are damaged"):
        NGramLanguageModel.from_arpa(tmp_path / "cut.arpa.gz")
    with pytest.raises(ZooError, match="cannot read .*nothing"):
        NGramLanguageModel.from_arpa(tmp_path / "nothing")


def test_a_stream_scores_as_its_words_one_by_one():
    model = NGramLanguageModel.train(lines_of("corpus.txt"), 4, tokenizer="whitespace")
    texts = lines_of("test.txt")[:30]
    encoded = [model.tokenizer.encode(text) for text in texts]
    stream = np.concatenate([[2, *ids, 3] for ids in encoded]).astype(np.int32)
    values = stream_log_probs(model.tables, stream)
    assert values[stream != 2].sum() == pytest.approx(
        sum(score.log_prob for score in model.score(texts)), rel=1e-5
    )


def test_the_top_words_are_those_of_the_whole_distribution():
    model = NGramLanguageModel.train(lines_of("corpus.txt"), 3, tokenizer="whitespace")
    best = TopWords(model.tables, forbidden=(0, 1, 2, 3))
    for text in ("the dog", "never seen", "", "the"):
        state = model.initial_state(1)
        for token in (2, *model.tokenizer.encode(text)):
            log_probs, state = model.step(np.array([token]), state)
        words, values = model.top_words(np.asarray(state["context"]), 7)[0]
        allowed = log_probs[0].copy()
        allowed[:4] = -np.inf
        np.testing.assert_allclose(values, np.sort(allowed)[::-1][:7], atol=1e-6)
        np.testing.assert_allclose(allowed[words], values, atol=1e-6)
        assert best(np.asarray(state["context"]), 7)[0][0].tolist() == list(words)
