"""Counts of a Spark job in local mode with two workers: the same to the last one.

These need the `spark` extra and Java, so they run by `make test-spark` and in CI.
"""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from tests.helpers.corpus import english
from training import spark_counts
from zoo.errors import ZooError
from zoo.ngrams.corpus import learn_vocabulary
from zoo.ngrams.counts import NGramCounts

SENTENCES = [*english(300), "", "Ümläute, <unk> and words!"]


@pytest.fixture(scope="module")
def session():
    session = spark_counts.start_session("local[2]")
    yield session
    session.stop()


@pytest.mark.parametrize("order", [1, 3, 5])
def test_counts_are_those_of_one_machine(session, order):
    lines = session.sparkContext.parallelize(SENTENCES, 4)
    tokenizer, ids = learn_vocabulary(SENTENCES, True, "words", 40, 2)
    ours = spark_counts.learn_vocabulary(lines, size=40, min_count=2)
    assert ours.vocabulary == tokenizer.vocabulary
    expected = NGramCounts.from_ids(ids, tokenizer.vocabulary_size, order)
    counts = spark_counts.count_ngrams(lines, ours, order)
    for found, level in zip(counts.levels, expected.levels, strict=True):
        for name in ("words", "counts", "parent", "suffix", "begins"):
            np.testing.assert_array_equal(getattr(found, name), getattr(level, name), name)


def test_parts_of_a_worker_add_up(session, monkeypatch):
    monkeypatch.setattr(spark_counts, "PART", 7)
    tokenizer, _ = learn_vocabulary(SENTENCES, True, "words", None, 1)
    in_parts = spark_counts.windows_counted(tokenizer, SENTENCES, 3)
    assert sum(count for _, count in in_parts) == sum(
        len(tokenizer.tokenize(sentence)) + 2 for sentence in SENTENCES
    )


def test_an_empty_corpus_and_a_missing_file_are_refused(session, tmp_path):
    tokenizer, _ = learn_vocabulary(SENTENCES, True, "words", None, 1)
    empty = session.sparkContext.parallelize([], 1)
    with pytest.raises(ZooError, match="the corpus is empty"):
        spark_counts.count_ngrams(empty, tokenizer, 3)
    with pytest.raises(ZooError, match="cannot read .*nothing"):
        spark_counts.lines_of(session, str(tmp_path / "nothing"))


def test_the_command_makes_a_preset(session, tmp_path):
    (tmp_path / "text").write_text("\n".join(SENTENCES), encoding="utf-8")
    arguments = [str(tmp_path / "text"), "--order", "2", "--out", str(tmp_path / "lm")]
    assert spark_counts.main([*arguments, "--smoothing", "add_k"]) == 0
    assert zoo.load(tmp_path / "lm").next_words(["the cat"], k=1)[0][0][1] > 0
    assert spark_counts.main([str(tmp_path / "nothing"), "--out", str(tmp_path / "no")]) == 2
    assert session.sparkContext.parallelize([1, 2], 1).sum() == 3  # the caller's session goes on


def test_a_byte_order_mark_is_no_part_of_a_files_first_word(session, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbfthe cat\nthe dog\n")
    lines = spark_counts.lines_of(session, str(tmp_path))
    assert sorted(lines.collect()) == ["the cat", "the cat", "the dog", "the dog"]
