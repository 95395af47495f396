"""The tasks of labels, from files to verbs: each learns a toy whose labels follow a rule."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

import zoo
from tests.helpers.corpus import english
from training.config import read_run_config
from training.diagnostics.flow import longest_rows
from training.run.fit import train_epochs
from training.tasks.label_batches import LabelledRow, label_batch
from training.tasks.registry import make_task
from training.tasks.restoring import joined, outcome_of_rules, sizes
from training.tasks.widths import MOST_SHAPES
from zoo.cli.main import main
from zoo.errors import ZooError
from zoo.text import WordTokenizer
from zoo.text.case_and_marks import marked_words

NAMES, VERBS, PLACES = ["Jane", "John"], ["saw", "met", "left"], ["Rome", "Oslo Bay"]
CONFIG = """
name: toy
description: a toy
data: {{name: {data}, max_length: 24, lowercase: {lowercase}}}
model: {{class: {model}, units: 12, embedding_dim: 10, cell: rnn}}
training:
  epochs: {epochs}
  batch_size: {rows}
  optimizer: {{learning_rate: 0.03, clip_norm: 1.0}}
  schedule: cosine
  stop_after: 99
"""


def tagged_text():
    """Names and places of one or two words."""
    chance, lines = random.Random(1), []
    for _ in range(60):
        place = chance.choice(PLACES).split()
        lines += [f"{chance.choice(NAMES)} B-PER", f"{chance.choice(VERBS)} O"]
        lines += [f"{word} {'I' if i else 'B'}-LOC" for i, word in enumerate(place)]
        lines += [". O", ""]
    return "\n".join(lines)


def labelled_text():
    chance = random.Random(2)
    rows = [(chance.choice(["good", "bad"]), chance.choice(NAMES)) for _ in range(80)]
    return "".join(f"{label}\t{name} is {label} today\n" for label, name in rows)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Rows of training and the preset of a kind, made once."""
    folder, kept = tmp_path_factory.mktemp("labels"), {}
    toys = {
        "BidirectionalTagger": ("toy.conll", tagged_text(), "false", 0, 16),
        "BidirectionalClassifier": ("toy.tsv", labelled_text(), "true", 0, 16),
        "BidirectionalRestorer": ("toy.txt", "\n".join(english(150)), "true", 40, 80),
    }

    def get(model):
        if model not in kept:
            name, text, lowercase, epochs, size = toys[model]
            (folder / name).write_text(text, encoding="utf-8")
            config = folder / f"{model}.yaml"
            filled = {"data": folder / name, "lowercase": lowercase}
            text = CONFIG.format(model=model, epochs=epochs, rows=size, **filled)
            config.write_text(text, encoding="utf-8")
            rows = list(train_epochs(read_run_config(config), out=folder / model))
            if not epochs:  # they learn as the restorer does, which is a tagger
                make_task(read_run_config(config), None).model.save_to_preset(folder / model)
            kept[model] = rows, folder / model, folder / name, config
        return kept[model]

    return get


def asked(capsys, *arguments: str | Path):
    assert main([*map(str, arguments), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_tagger_of_columns(trained, capsys):
    _, preset, data, _ = trained("BidirectionalTagger")
    assert zoo.load(preset).labels == ("O", "B-LOC", "B-PER", "I-LOC")
    (row,) = asked(capsys, "tag", "Jane left Oslo Bay.", "--preset", preset)
    assert list(row) == ["text", "words"]
    assert [list(word) for word in row["words"]] == [["word", "label", "probability"]] * 5
    assert [w["word"] for w in row["words"]] == ["Jane", "left", "Oslo", "Bay", "."]
    figures = asked(capsys, "evaluate", preset, "--data", data)
    assert list(figures[0]) == ["metric", "value", "tokens", "oov", "signature"]
    values = {row["metric"]: row["value"] for row in figures}
    assert values.keys() >= {"accuracy", "span_f1", "span_macro_f1", "recall[LOC]", "f1[PER]"}


def test_spans_are_judged_by_words_that_were_cut_already(trained, monkeypatch):
    _, _, _, config = trained("BidirectionalTagger")
    task = make_task(read_run_config(config), None)
    assert task.figure == "span_f1"
    answers = [list(example.labels) for example in task.valid]
    answers[0][0] = "O"
    monkeypatch.setattr(task.model, "tag_words", lambda rows: answers)
    figures, words = task.evaluate(), sum(map(len, answers))
    assert figures["tokens"] == words
    assert figures["accuracy"] == pytest.approx(1 - 1 / words)
    assert figures["span_f1"] == pytest.approx(2 * 119 / (119 + 120))  # a name and a place each
    first = next(iter(task.batches(0)))
    nats, count, _ = task.loss(first, None, False)
    assert float(count) == first["weights"].sum() > 0
    assert float(nats) / float(count) == pytest.approx(np.log(4), rel=0.5)  # of four labels


def test_a_classifier_labels_texts(trained, capsys):
    _, preset, data, config = trained("BidirectionalClassifier")
    (row,) = asked(capsys, "classify", "John is bad today", "--preset", preset)
    assert list(row) == ["text", "labels"]
    assert {label["label"] for label in row["labels"]} == {"bad", "good"}
    assert sum(label["probability"] for label in row["labels"]) == pytest.approx(1, abs=1e-5)
    figures = asked(capsys, "evaluate", preset, "--data", data)
    assert {row["metric"] for row in figures} >= {"accuracy", "macro_f1", "f1[good]"}
    assert "80 texts" in figures[0]["signature"]
    task = make_task(read_run_config(config), None)
    first = next(iter(task.batches(0)))
    nats, count, _ = task.loss(first, None, False)
    assert float(count) == 16
    assert float(nats) / float(count) == pytest.approx(np.log(2), rel=0.5)
    assert longest_rows(task.batches(0))["ids"].shape == (4, 6)  # a probe of gradients
    assert task.evaluate()["texts"] == 80


def test_a_restorer_writes_text(trained, capsys):
    rows, preset, data, _ = trained("BidirectionalRestorer")
    assert rows[-1]["valid_case_and_marks"] > 0.9
    (row,) = asked(capsys, "restore", "my brother was green", "--preset", preset)
    assert row == {"text": "my brother was green", "restored": "My brother was green."}
    values = {r["metric"]: r["value"] for r in asked(capsys, "evaluate", preset, "--data", data)}
    assert values["rule_case_accuracy"] == values["rule_f1[.]"] == 1.0
    # Three sentences a text have three full stops and capitals, of which the rules put one.
    assert values["joined_rule_f1[.]"] == pytest.approx(0.5)
    assert values["joined_marks_f1"] > 0.9 > values["joined_rule_marks_f1"]


def test_a_stream_is_restored_in_overlapping_windows(trained, capsys, tmp_path):
    _, preset, _, _ = trained("BidirectionalRestorer")
    model, lines = zoo.load(preset), [text.lower().strip(".") for text in english(150)]
    whole = model.restore([" ".join(lines)])[0]
    pieces = list(model.restore_stream(lines))
    assert len(pieces) > 2
    assert " ".join(pieces) == whole
    assert whole.count(".") > 100
    assert model.restore([whole]) == [whole]  # what is there of case and marks is not looked at
    (tmp_path / "lines").write_text("\n".join(lines), encoding="utf-8")
    rows = asked(capsys, "restore", "--stream", "--file", tmp_path / "lines", "--preset", preset)
    assert [row["restored"] for row in rows] == pieces
    assert list(model.restore_stream([])) == list(model.restore_stream(["", "..."])) == []


@pytest.mark.parametrize("mixture", [["tag", "a"], ["classify", "a"], ["restore", "a"]])
def test_verbs_of_other_models(mixture, trained, capsys):
    kinds = {"tag": "BidirectionalClassifier"}
    _, preset, _, _ = trained(kinds.get(mixture[0], "BidirectionalTagger"))
    assert main([*mixture, "--preset", str(preset)]) == 2
    assert f"cannot {mixture[0]}" in capsys.readouterr().err


def test_data_of_another_kind(trained, capsys):
    _, preset, _, _ = trained("BidirectionalTagger")
    _, _, texts, _ = trained("BidirectionalRestorer")
    assert main(["evaluate", str(preset), "--data", str(texts)]) == 0  # columns, of a kind
    assert main(["evaluate", str(preset), "--data", "tatoeba_en"]) == 2
    assert "holds no labels" in capsys.readouterr().err


def test_pieces_of_a_word_have_its_label(trained):
    _, _, _, config = trained("BidirectionalTagger")
    task = make_task(read_run_config(config), None)
    task.numbers = {label: i for i, label in enumerate(task.model.labels)}
    from training.datasets.labelled import TaggedWords

    row = task._row(TaggedWords(("Oslo-Bay", "saw"), ("B-LOC", "O")))
    inside, begin, outside = (task.numbers[name] for name in ("I-LOC", "B-LOC", "O"))
    assert row.labels == [-1, begin, inside, inside, outside, -1]
    assert len(row.ids) == len(row.labels)


def test_labels_that_the_config_does_not_name(trained):
    _, _, _, config = trained("BidirectionalTagger")
    with pytest.raises(ZooError, match="the label 'B-LOC', which model.labels does not name"):
        make_task(read_run_config(config, ["model.labels=[O, B-PER]"]), None)
    none = ["training.options.sentences_per_text=0"]
    config = read_run_config(trained("BidirectionalRestorer")[3], none)
    with pytest.raises(ZooError, match="sentences_per_text=0"):
        make_task(config, None)


def test_a_batch_counts_labels_alone():
    words = label_batch([LabelledRow([2, 7, 8, 3], [-1, 0, 2, -1])], 2)
    assert words["weights"].tolist() == [[0, 1, 1, 0], [0, 0, 0, 0]]
    assert words["targets"].tolist() == [[0, 0, 2, 0], [0, 0, 0, 0]]
    assert words["mask"].tolist() == [[True] * 4, [True, False, False, False]]
    texts = label_batch([LabelledRow([2, 7, 3], [1]), LabelledRow([2, 3], [0])], 3)
    assert (texts["targets"].tolist(), texts["weights"].tolist()) == ([1, 0, 0], [1, 1, 0])
    assert texts["mask"].sum(axis=1).tolist() == [3, 2, 1]


def test_batches_of_few_widths(trained):
    task = make_task(read_run_config(trained("BidirectionalRestorer")[3]), None)
    lengths = {len(row.ids) for epoch in range(3) for row in task.rows(epoch)}
    widths = {batch["ids"].shape[1] for epoch in range(3) for batch in task.batches(epoch)}
    assert widths <= set(task.widths)
    assert len(task.widths) <= MOST_SHAPES < len(lengths)
    assert max(lengths) <= task.widths[-1] == 26


def test_sentences_are_joined_in_turn():
    assert sizes(8, 3) == [1, 2, 3, 1, 1]
    assert sizes(0, 3) == []
    texts = [[i] for i in range(7)]
    assert joined(texts, 3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert joined(texts, 3, in_turn=True) == [[0], [1, 2], [3, 4, 5], [6]]


def test_epochs_join_other_sentences(trained):
    task = make_task(read_run_config(trained("BidirectionalRestorer")[3]), None)
    first, again, second = (task.rows(epoch) for epoch in (0, 0, 1))
    assert [row.ids for row in first] == [row.ids for row in again]
    assert [row.ids for row in first] != [row.ids for row in second]
    assert len(list(task.batches(0))) == task.steps_per_epoch()
    assert sum(np.array(row.labels).clip(-1, 0).sum() + len(row.labels) for row in first) == sum(
        len(ids) for ids, _ in task.train
    )


def test_what_rules_get():
    """By hand: `he` and `tom` are right, `is` has a mark that the rule misses."""

    class Named:
        word_forms = {"tom": "Tom"}  # noqa: RUF012

    text = marked_words("He is, Tom Ray.", WordTokenizer.train([]))
    found = outcome_of_rules(Named(), [text])
    assert found.case_accuracy == 0.75
    assert (found.scores["."].f1, found.scores[","].f1, found.words) == (1.0, 0.0, 4)
    assert found.marks.f1 == pytest.approx(2 / 3)
