"""The page of architectures is what the code says, and its formulas are the models' counts."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from benchmarks import architectures, memory
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


@pytest.mark.parametrize("corpus", memory.CORPORA)
def test_tables_grow_with_the_window_and_the_recurrent_network_does_not(corpus):
    rows = memory.of_corpus(memory.recorded(), corpus)
    assert [row["n"] for row in rows] == list(range(1, 7))
    assert len({row["rnn_bytes"] for row in rows}) == 1
    tables = [row["table_bytes"] for row in rows]
    assert tables == sorted(tables)
    assert tables[5] > 20 * tables[1]
    steps = {b["nplm_bytes"] - a["nplm_bytes"] for a, b in pairwise(rows)}
    assert steps == {4 * 100 * 200}  # D H weights a word of the window
    assert memory.PICTURE.is_file()


def test_the_window_is_measured_on_tables_that_are_really_there(monkeypatch, tmp_path):
    text = "the cat is small\nthe dog is small\n"
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text(text, encoding="utf-8")
    monkeypatch.setattr(memory, "CORPORA", {str(tmp_path): ({"tokenizer": "words"}, 3, 3)})
    monkeypatch.setattr(memory, "ORDERS", (1, 2))
    one, two = memory.measured("")
    # 9 words with the control tokens; and 8 pairs, with <bos> and <eos>
    assert (one["words"], one["n_grams"], two["n_grams"]) == (9, 9, 9 + 7)
    assert 0 < one["table_bytes"] < two["table_bytes"]
