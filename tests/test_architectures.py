"""The page of architectures is what the code says, and its formulas are the models' counts."""

from __future__ import annotations

import json

import pytest

from benchmarks import architectures
from tests.helpers.models import LABELS, bidirectional, classifier, nplm, recurrent, tagger
from tests.helpers.seq2seq import tokenizers, translator


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_recurrent_formula(cell, tied):
    model = recurrent(cell=cell, tied=tied)
    v = model.tokenizer.vocabulary_size
    assert architectures.recurrent_count(v, 6, 7, 2, cell, tied) == model.parameter_count()


@pytest.mark.parametrize("direct", [False, True])
def test_nplm_formula(direct):
    model = nplm(direct=direct)
    v = model.tokenizer.vocabulary_size
    assert architectures.nplm_count(v, 5, 7, 3, direct) == model.parameter_count()


@pytest.mark.parametrize("mixing", ["top", "layers"])
def test_bidirectional_formula(mixing):
    model = bidirectional(cell="gru", mixing=mixing)
    v, mixed = model.tokenizer.vocabulary_size, mixing == "layers"
    expected = architectures.bidirectional_count(v, 6, 5, 2, "gru", mixed)
    assert expected == model.parameter_count()


@pytest.mark.parametrize(("make", "mixing"), [(tagger, "layers"), (classifier, "top")])
def test_label_formula(make, mixing):
    model = make(cell="gru", num_layers=2, mixing=mixing)
    v, mixed = model.tokenizer.vocabulary_size, mixing == "layers"
    expected = architectures.label_count(v, 6, 5, 2, "gru", mixed, len(LABELS))
    assert expected == model.parameter_count()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_base_translation_formula(cell):
    source, target = (tokenizer.vocabulary_size for tokenizer in tokenizers())
    expected = architectures.base_translation_count(target, 4, 5, cell, source)
    assert expected == translator(cell=cell).parameter_count()


def test_the_page_is_made_from_the_code():
    rows = json.loads(architectures.RECORD.read_text())
    written = (architectures.DOCS / "architectures.md").read_text(encoding="utf-8")
    assert written == architectures.page(rows)
    assert architectures.PICTURE.is_file()


def test_only_counted_models_grow_with_the_corpus():
    rows = json.loads(architectures.RECORD.read_text())
    assert len({row["lstm_tatoeba_en"] for row in rows}) == 1
    sizes = [row["5-gram"] for row in rows]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 10 * sizes[0]
