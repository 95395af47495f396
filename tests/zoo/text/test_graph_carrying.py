"""The graph carries over and cuts into sentences as Python does."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests.zoo.text.test_carrying import ENGLISH, GERMAN
from zoo.text.carrying import SYMBOLS, carrier_of
from zoo.text.graph.carrying import GraphCarrier, sentences_of
from zoo.text.sentences import sentences_of as python_sentences

ODD = [
    "",
    "„Nein!“, sagte er.",
    "RUF AB-12 AN, SCHÖN!",
    f"a{SYMBOLS[0]}b\x01c\x02 5",
    " ".join(map(str, range(12))),
    "Zwei\nZeilen, 5 und 5. Und ÄÖÜ? nein! Dr. Weber sagt „3.“ Ende.  ",
]


def decoded(values: tf.Tensor) -> list[str]:
    return [value.decode() for value in values.numpy().tolist()]


@pytest.mark.parametrize("direction", ["de_en", "en_de"])
def test_the_graph_carries_over_as_python_does(direction):
    texts = [*GERMAN, *ENGLISH, *ODD]
    carrier = carrier_of(direction)
    expected = [carrier.prepared(text) for text in texts]
    graph = GraphCarrier(carrier)
    carried = graph.prepared(tf.constant(texts))
    assert decoded(carried.text) == [row.text for row in expected]
    assert [tuple(v for v in decoded(row) if v) for row in carried.values] == [
        row.values for row in expected
    ]
    assert carried.curly.numpy().tolist() == [row.curly for row in expected]
    one, two = SYMBOLS[:2]
    answers = ["", f'"{two}!" {one} {two}', f"Am {one}."]
    restored = graph.restored(tf.constant([answers] * len(texts)), carried)
    assert [decoded(row) for row in restored] == [
        [carrier.restored(answer, row) for answer in answers] for row in expected
    ]
    assert graph.prepared(tf.constant([], tf.string)).values.shape == (0, len(SYMBOLS))


def test_the_graph_cuts_sentences_as_python_does():
    texts = [
        *GERMAN,
        *ENGLISH,
        *ODD,
        " \n ",
        "hallo! wie geht es? gut",
        '"Nein!" "Doch!" sagte er.',
    ]
    rows = sentences_of(tf.constant(texts))
    assert [decoded(row) for row in rows] == [python_sentences(text) for text in texts]
