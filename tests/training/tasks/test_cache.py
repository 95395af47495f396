"""A cache's window, θ and λ: what is found for the grid is what the model says, and the best."""

from __future__ import annotations

import json

import pytest

import zoo
from tests.helpers.corpus import english
from tests.helpers.models import language_model
from training.tasks.cache import best_cache
from training.tasks.counts import nats_and_tokens
from zoo.cli.main import main
from zoo.metrics import perplexity
from zoo.models import CachedLanguageModel

CONFIG = """\
name: cached
description: a toy network with a cache
data: {{name: {corpus}}}
model: {{class: CachedLanguageModel, model: {model}, windows: [3, 9], thetas: [0.5, 2]{more}}}
"""


@pytest.mark.parametrize("is_stream", [True, False])
def test_the_grid_says_what_the_model_says(is_stream):
    network, text = language_model("cached").model, english(12)
    encoded = [network.tokenizer.encode(line) for line in text]
    fit = best_cache(network, encoded, is_stream, windows=[7], thetas=[1.5])

    model = CachedLanguageModel(network, fit.window, fit.theta, fit.weight)
    value = perplexity(*nats_and_tokens(model, text, is_stream))
    assert value == pytest.approx(fit.perplexity, rel=1e-5)
    assert 0 < fit.weight < 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cached")
    for part in ("train", "valid", "test"):
        (folder / f"{part}.txt").write_text("\n".join(english(12)), encoding="utf-8")
    language_model("cached").model.save_to_preset(folder / "network")
    return folder


def trained(folder, out, model, more=""):
    config = folder / "cached.yaml"
    config.write_text(CONFIG.format(corpus=folder, model=model, more=more), encoding="utf-8")
    return main(["train", str(config), "--out", str(out), "--json"])


def test_a_cache_is_chosen_by_a_config(folder, tmp_path, capsys):
    assert trained(folder, tmp_path / "out", folder / "network") == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    model = zoo.load(tmp_path / "out")
    assert (model.window, model.theta) in [(w, t) for w in (3, 9) for t in (0.5, 2.0)]
    expected = perplexity(*nats_and_tokens(model, english(12)))
    assert row["valid_perplexity"] == pytest.approx(expected, rel=1e-5)
    assert model.reference is None


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("mle3_tatoeba_en", "", "NGramLanguageModel has no hidden vectors"),
        ("birnn_tatoeba_en", "", "BidirectionalLanguageModel, no language model"),
        ("mle3_tatoeba_en", ", weight: 0.2", "give `model`, a preset or directory"),
    ],
)
def test_what_has_no_cache_is_refused_in_one_line(folder, model, more, message, tmp_path, capsys):
    assert trained(folder, tmp_path / "out", model, more) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
