"""Where unknown source words go in a translation."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.models.seq2seq.unknown_words import with_source_words

TOKENS = ["ich", "heiße", "zaphod", "beeblebrox"]
KNOWN = [False, False, True, True]


@pytest.mark.parametrize(
    ("translation", "attention", "backwards", "expected"),
    [
        ("i am <unk> <unk>.", None, False, "i am zaphod beeblebrox."),
        ("i am <unk> <unk>.", None, True, "i am beeblebrox zaphod."),
        ("i am <unk>.", None, False, "i am zaphod. [beeblebrox]"),
        ("<unk> <unk> <unk>", None, False, "zaphod beeblebrox <unk>"),
        ("", None, False, "[zaphod] [beeblebrox]"),
        ("i am <unk>.", [[0.5, 0.2, 0.1, 0.2, 0.0]], False, "i am beeblebrox. [zaphod]"),
    ],
)
def test_copies_and_marks(translation, attention, backwards, expected):
    weights = None if attention is None else np.array(attention)
    assert with_source_words(translation, TOKENS, KNOWN, weights, backwards) == expected


def test_without_unknown_words_the_most_attended_is_copied():
    weights = np.array([[0.1, 0.5, 0.1, 0.2, 0.1]])
    assert with_source_words("<unk>!", TOKENS, [False] * 4, weights, False) == "heiße!"


def test_lost_punctuation_is_not_worth_a_mark():
    assert with_source_words("hi", ["hallo", "„"], [False, True], None, False) == "hi"


def test_pieces_of_words_lose_their_mark():
    assert with_source_words("a<unk>", ["a", "##漢"], [False, True], None, False) == "a漢"


def test_marks_can_be_left_out():
    texts = [with_source_words("hi", ["x"], [True], None, False, mark) for mark in (True, False)]
    assert texts == ["hi [x]", "hi"]
