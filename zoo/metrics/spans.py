"""Spans of words by their labels: B-X begins a span of kind X, I-X goes on with it, O is outside.

A span counts if its kind, start and end are right. What is a span follows conlleval and seqeval: an
I-X that goes on with nothing of its kind begins a span, and in the five-letter forms E-X (L-X) ends
a span and S-X (U-X) is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from zoo.errors import ZooError
from zoo.metrics.labels import LabelScore, counted

OUTSIDE = "O"
FORM = re.compile(r"[BIESLU]-.+")
BEGIN, LAST = "BSU", "ESLU"  # what always begins a span, and what always ends one


class Span(NamedTuple):
    """Words `start` to `end` (not included) of a row, of one kind."""

    kind: str
    start: int
    end: int


def are_spans(labels: Iterable[str]) -> bool:
    """Whether labels are of the form that spans are read from, `O` and others.

    Example:
        >>> are_spans(["O", "B-PER", "I-PER"]), are_spans(["NOUN", "O"]), are_spans(["O"])
        (True, False, False)
    """
    kinds = [label for label in labels if label != OUTSIDE]
    return bool(kinds) and all(FORM.fullmatch(label) for label in kinds)


def spans(labels: Sequence[str]) -> list[Span]:
    """The spans of one row of labels, in order.

    Example:
        >>> spans(["B-PER", "I-PER", "O", "I-LOC"])
        [Span(kind='PER', start=0, end=2), Span(kind='LOC', start=3, end=4)]
    """
    return list(_spans(labels))


def _spans(labels: Sequence[str]) -> Iterator[Span]:
    kind, start = "", 0  # of the open span; no kind: none is open
    for place, label in enumerate([*labels, OUTSIDE]):
        form, _, here = label.partition("-")
        goes_on = here and here == kind and form not in BEGIN
        if kind and not goes_on:
            yield Span(kind, start, place)
            kind = ""
        if here and not kind:
            kind, start = here, place
        if kind and form in LAST:
            yield Span(kind, start, place + 1)
            kind = ""


def span_scores(
    true: Sequence[Sequence[str]], given: Sequence[Sequence[str]]
) -> dict[str, LabelScore]:
    """The score of each kind of span, by name in order; `zoo.metrics.micro` puts them together.

    Args:
        true: a row of labels a sentence.
        given: as many rows of as many labels.

    Raises:
        ZooError: rows of different lengths.

    Example:
        >>> span_scores([["B-PER", "I-PER", "O"]], [["B-PER", "O", "B-LOC"]])["PER"].f1
        0.0
    """
    if [*map(len, true)] != [*map(len, given)]:
        raise ZooError(
            f"{len(given)} rows of labels against {len(true)}: each must have as many labels"
        )
    ours, theirs = ([{*spans(row)} for row in rows] for rows in (given, true))
    right = [span.kind for a, b in zip(ours, theirs, strict=True) for span in a & b]
    return counted(
        right,
        (span.kind for row in ours for span in row),
        (span.kind for row in theirs for span in row),
    )
