"""Labels and spans: figures worked out by hand, and what seqeval gives for the same rows."""

from __future__ import annotations

import pytest

from zoo.errors import ZooError
from zoo.metrics import accuracy, are_spans, label_scores, macro_f1, micro, span_scores, spans

# The example of seqeval's own page: 1 of 2 spans is right.
TRUE = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
GIVEN = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]


def test_spans_that_seqeval_counts():
    scores = span_scores(TRUE, GIVEN)
    assert (micro(scores).precision, micro(scores).recall, micro(scores).f1) == (0.5, 0.5, 0.5)
    assert (scores["MISC"].f1, scores["PER"].f1, macro_f1(scores)) == (0.0, 1.0, 0.5)
    every = [[label for row in rows for label in row] for rows in (TRUE, GIVEN)]
    assert accuracy(*every) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("B-A I-A B-A O", [("A", 0, 2), ("A", 2, 3)]),
        ("I-A I-A O I-B", [("A", 0, 2), ("B", 3, 4)]),  # I after nothing of its kind begins
        ("B-A I-B I-B", [("A", 0, 1), ("B", 1, 3)]),
        ("B-A O I-A", [("A", 0, 1), ("A", 2, 3)]),
        ("B-A I-A E-A I-A S-A", [("A", 0, 3), ("A", 3, 4), ("A", 4, 5)]),
        ("E-A S-B", [("A", 0, 1), ("B", 1, 2)]),
        ("B-X-Y I-X-Y", [("X-Y", 0, 2)]),
        ("O O", []),
        ("", []),
    ],
)
def test_where_spans_begin_and_end(labels, expected):
    assert spans(labels.split()) == expected


def test_spans_of_two_sentences_are_not_one():
    scores = span_scores([["B-A"], ["I-A"]], [["B-A"], ["B-A"]])["A"]
    assert (scores.true, scores.given, scores.right) == (2, 2, 2)


def test_labels_by_hand():
    """N: 2 right of 3 given and 2 true; V: 1 of 1 and 2; A: 0 of 0 and 0 is 0."""
    scores = label_scores(["N", "V", "N", "V"], ["N", "V", "N", "N"])
    assert scores["N"].precision == pytest.approx(2 / 3)
    assert (scores["N"].recall, scores["V"].precision, scores["V"].recall) == (1.0, 1.0, 0.5)
    assert scores["N"].f1 == pytest.approx(0.8)
    assert macro_f1(scores) == pytest.approx((0.8 + 2 / 3) / 2)
    assert micro(scores).f1 == accuracy(["N", "V", "N", "V"], ["N", "V", "N", "N"]) == 0.75
    assert label_scores(["N"], ["V"])["N"].precision == 0.0
    assert label_scores(["N"], ["V"])["V"].recall == 0.0


def test_mistakes():
    with pytest.raises(ZooError, match="1 labels against 2"):
        accuracy(["a", "b"], ["a"])
    with pytest.raises(ZooError, match="at least one"):
        label_scores([], [])
    with pytest.raises(ZooError, match="as many labels"):
        span_scores([["O"]], [["O", "O"]])
    assert not are_spans(["O", "B-"])
