"""Counts against a dictionary of slices."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.ngram import count_ngrams
from zoo.errors import ZooError
from zoo.ngrams.counts import NGramCounts, last_ngram, stream_of, windows_of
from zoo.text import BOS, EOS

IDS = st.lists(st.lists(st.integers(4, 8), max_size=7), min_size=1, max_size=12)


def flat(sentences: list[list[int]]) -> list[int]:
    return [i for sentence in sentences for i in (*sentence, EOS)]


def slow_counts(sentences: list[list[int]], order: int) -> dict[tuple[int, ...], int]:
    marks = {"<s>": BOS, "</s>": EOS}
    words = [[str(i) for i in sentence] for sentence in sentences]
    counts = count_ngrams(words, order)
    return {tuple(int(marks.get(w, w)) for w in ngram): n for ngram, n in counts.items()}


@settings(max_examples=40, deadline=None)
@given(IDS, st.integers(1, 6), st.sampled_from([9, 70_000, 2_000_000]))
def test_counts_are_those_of_all_slices(
    sentences: list[list[int]], order: int, vocabulary_size: int
) -> None:
    counts = NGramCounts.from_ids(flat(sentences), vocabulary_size, order)
    wanted = slow_counts(sentences, order)
    for k, level in enumerate(counts.levels, 1):
        rows = [tuple(row) for row in counts.ngrams(k).tolist()]
        assert rows == sorted(ngram for ngram in wanted if len(ngram) == k)
        assert level.counts.tolist() == [wanted[row] for row in rows]
        assert level.begins.tolist() == [row[0] == BOS for row in rows]
        if k > 1:
            shorter = counts.ngrams(k - 1)
            assert [tuple(row) for row in shorter[level.parent]] == [row[:-1] for row in rows]
            assert [tuple(row) for row in shorter[level.suffix]] == [row[1:] for row in rows]


@settings(max_examples=30, deadline=None)
@given(IDS, st.integers(1, 5), st.randoms(use_true_random=False))
def test_windows_in_any_order_give_the_same_counts(
    sentences: list[list[int]], order: int, random: object
) -> None:
    whole = NGramCounts.from_ids(flat(sentences), 9, order)
    windows = np.stack(list(windows_of(stream_of(np.array(flat(sentences))), order)), axis=1)
    shuffled = np.random.default_rng(random.getrandbits(32)).permutation(windows)  # type: ignore[attr-defined]
    counted = NGramCounts.from_windows(shuffled, np.ones(len(shuffled), np.int64), 9)
    for one, other in zip(whole.levels, counted.levels, strict=True):
        for name in ("words", "counts", "parent", "suffix", "begins"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_single_ngrams_can_be_asked_for() -> None:
    counts = NGramCounts.from_ids(flat([[4, 5, 4], [5]]), 6, 3)
    assert counts.count([4]) == 2
    assert counts.count([BOS, 5, EOS]) == 1
    assert counts.count([5, 5]) == 0
    with pytest.raises(ZooError, match="4 words"):
        counts.count([4, 4, 4, 4])


def test_last_ngram_is_by_first_appearance_from_the_end() -> None:
    stream = stream_of(np.array(flat([[4, 7, 5], [6, 4, 5], [7, 5]])))
    # Words appear as 4 7 5 6; the last is 6, always after <bos>.
    assert last_ngram(stream, 8, 3) == (BOS, 6)
    # Without it 5 is last, before it 7 (after 4) or 4.
    stream = stream_of(np.array(flat([[4, 7, 5], [4, 5], [7, 5]])))
    assert last_ngram(stream, 8, 3) == (4, 7, 5)


@pytest.mark.parametrize(
    ("ids", "size", "order", "message"),
    [
        ([], 9, 2, "the corpus is empty"),
        ([4, 9, EOS], 9, 2, "ids 3 to 9: give ids from 0 to 8"),
        ([4, EOS], 9, 7, "order=7: give a whole number from 1 to 6"),
        ([4, EOS], 9, True, "order=True"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    ids: list[int], size: int, order: int, message: str
) -> None:
    with pytest.raises(ZooError, match=re.escape(message)):
        NGramCounts.from_ids(ids, size, order)


def test_incomplete_windows_are_refused() -> None:
    with pytest.raises(ZooError, match="windows are incomplete"):
        NGramCounts.from_windows(np.array([[BOS, 4, 5]]), np.array([1]), 9)
