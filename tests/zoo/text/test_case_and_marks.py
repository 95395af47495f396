"""Case and marks: taken from written text, and given back to bare words."""

from __future__ import annotations

import pytest

from zoo.text import WordTokenizer
from zoo.text.case_and_marks import LABELS, bare_words, marked_words, restored, usual_forms

WORDS = WordTokenizer.train([])
# Texts of which nothing is lost but what has no label.
WHOLE = [
    "Where is the station?",
    "Tom's wife, Mary, isn't at home; she left at 10:30.",
    "McDonald saw the TV at 5 p.m. on Monday, I think.",
    "Wait... A twenty-five-year-old cost $5,000.50!",
    "Die Straße ist schön: Ärzte, Übung und Öl.",
    "Prices rose 5% in the U.S.",
]


def forms_of(text):
    return usual_forms([marked_words(f"x {text}", WORDS)])


@pytest.mark.parametrize("text", WHOLE)
def test_what_is_taken_is_given_back(text):
    words = marked_words(text, WORDS)
    assert {word.label for word in words} <= set(LABELS)
    bare = [word.word for word in words]
    assert bare == bare_words(WORDS.tokenize(text))
    assert restored(bare, [word.label for word in words], forms_of(text)) == text
    again = bare_words(WORDS.tokenize(" ".join(bare)))
    assert again == bare  # bare text is read as it is


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('"Where is Tom?" he said.', "title|lower|title ?|lower|lower ."),
        ("NATO and McX", "upper|lower|mixed"),
        ("I", "title"),
        ("what?! no..", "lower ?|lower …"),
        ("...", ""),
        ("(see below) -- yes", "lower|lower|lower"),
        ("\u00bfqu\u00e9? 3 x", "lower ?|lower|lower"),
        ("isn\u2019t", "lower"),
    ],
)
def test_labels(text, labels):
    assert "|".join(word.label for word in marked_words(text, WORDS)) == labels


def test_a_mixed_word_that_no_list_spells_has_a_capital():
    assert restored(["mcx", "tom"], ["mixed", "mixed ."], {"tom": "TOM"}) == "Mcx TOM."


def test_usual_forms_are_those_inside_sentences():
    texts = [marked_words(t, WORDS) for t in ("The Tom. Home is x", "a tom, a Tom, a Tom, Home x")]
    assert usual_forms(texts) == {"tom": "Tom", "home": "Home"}
