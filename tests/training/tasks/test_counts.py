"""Counting and interpolating by `zoo train`, then evaluating, exporting and asking the result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import zoo
from export.saved_model.exporter import export_saved_model
from tests.helpers.corpus import english
from tests.helpers.models import language_model
from zoo.cli.main import main
from zoo.models import NGramLanguageModel

MIXTURE = """\
name: mixture
description: a toy mixture
data: {{name: {corpus}}}
model:
  class: InterpolatedLanguageModel
  models: [{models}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus in three splits, a network and counts with one vocabulary."""
    folder = tmp_path_factory.mktemp("mixture")
    sentences = english(300)
    for part, first in (("train", 0), ("valid", 200), ("test", 250)):
        text = "\n".join(sentences[first : first + 200])
        (folder / f"{part}.txt").write_text(text, encoding="utf-8")
    network = language_model("lstm_tied")
    network.save_to_preset(folder / "network")
    counts = NGramLanguageModel.train(sentences[:200], 3, tokenizer=network.tokenizer)
    counts.save_to_preset(folder / "counts")
    return folder


def trained(folder: Path, models: str, out: Path) -> int:
    config = folder / f"{out.name}.yaml"
    config.write_text(MIXTURE.format(corpus=folder, models=models), encoding="utf-8")
    return main(["train", str(config), "--out", str(out), "--json"])


def test_a_mixture_is_tuned_evaluated_and_served(folder, tmp_path, capsys):
    out = tmp_path / "mixture"
    assert trained(folder, f"{folder}/network, {folder}/counts", out) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    perplexities = {}
    for name in (out, folder / "network", folder / "counts"):
        valid = ["--data", str(folder), "--split", "valid"]
        assert main(["evaluate", str(name), *valid, "--json"]) == 0
        perplexities[name] = json.loads(capsys.readouterr().out.splitlines()[0])["value"]
    assert row["valid_perplexity"] == pytest.approx(perplexities[out], rel=1e-4)
    assert perplexities[out] <= min(perplexities.values()) + 1e-3
    model = zoo.load(out)
    assert model.weights.sum() == pytest.approx(1)
    assert model.weights[1] > model.weights[0]  # the toy network has learnt nothing
    report = export_saved_model(model, tmp_path / "served")
    assert report.max_abs_diff < 1e-4
    loaded = tf.saved_model.load(str(report.path))
    answer = loaded.signatures["next_word"](text=tf.constant(["the cat"]))
    expected = model.next_words(["the cat"])[0]
    np.testing.assert_allclose(answer["probabilities"][0], [p for _, p in expected], atol=1e-5)
    assert answer["words"][0, 0].numpy().decode() == expected[0][0]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("{0}/network", "interpolation takes two or more"),
        ("{0}/network, lstm_tatoeba_en", "vocabularies differ"),
        ("{0}/network, birnn_tatoeba_en", "birnn_tatoeba_en is a BidirectionalLanguageModel"),
        ("{0}/network, nowhere", "no preset or directory 'nowhere'"),
        ("{0}/network]\n  weights: [1", "give `models`, a list of presets"),
    ],
)
def test_what_cannot_be_mixed_is_refused_in_one_line(folder, models, message, tmp_path, capsys):
    assert trained(folder, models.format(folder), tmp_path / "mixture") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_counts_by_a_config(folder, tmp_path, capsys):
    """Trained, exported at the end, published with a card."""
    arguments = ["train", "kn5_tatoeba_en", "--set", f"data.name={folder}", "--json"]
    out = tmp_path / "counts"
    assert main([*arguments, "--out", str(out), "--export", "saved_model"]) == 0
    row, exported = map(json.loads, capsys.readouterr().out.splitlines())
    assert list(row)[:4] == ["epoch", "loss", "valid_perplexity", "tokens_per_second"]
    assert row["loss"] < np.log(row["valid_perplexity"])
    assert zoo.load(out).order == 5
    assert exported["path"] == str(tmp_path / "counts.saved_model" / "1")
    assert exported["max_abs_diff"] < 1e-4
    config = tmp_path / "mine.yaml"
    config.write_text(f"extends: kn5_tatoeba_en\nname: mine\ndata: {{name: {folder}}}\n")
    given = ["--run", str(out), "--out", str(tmp_path / "mine"), "--json"]
    assert main(["publish", str(config), *given]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["path"] == str(tmp_path / "mine")
    assert 1 < row["test_perplexity"] < 10
    assert "mine" in (tmp_path / "mine" / "card.md").read_text(encoding="utf-8")


def test_an_unknown_format_is_refused_before_training(folder, tmp_path, capsys):
    out = tmp_path / "counts"
    arguments = ["train", "kn5_tatoeba_en", "--set", f"data.name={folder}", "--export", "onnx"]
    assert main([*arguments, "--out", str(out)]) == 2
    assert "export" in capsys.readouterr().err
    assert not out.exists()
