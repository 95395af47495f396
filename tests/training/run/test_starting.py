"""Going on from a preset: its words and weights, new words, frozen layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zoo
from tests.helpers.corpus import english
from training.config import read_run_config
from training.run.fit import make_run
from training.tasks.registry import make_task
from training.tasks.starting import grown
from zoo.errors import ZooError
from zoo.models import RecurrentLanguageModel
from zoo.text import UNK, WordTokenizer

CONFIG = """
name: more
data: {{name: {folder}/text.txt}}
model: {{class: RecurrentLanguageModel}}
training: {{batch_size: 8, gradient_flow_every: 0}}
"""
TEXT = ["the zebra is striped at home.", "the zebra was here.", "a heron is here."]
SIZES = {"cell": "rnn", "units": 4, "embedding_dim": 5, "num_layers": 1, "dropout": 0.25}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A preset, and a config and text of another domain."""
    folder = tmp_path_factory.mktemp("from")
    model = RecurrentLanguageModel(WordTokenizer.train(english(60)), **SIZES)
    model.save_to_preset(folder / "base")
    (folder / "text.txt").write_text("\n".join(TEXT), encoding="utf-8")
    (folder / "more.yaml").write_text(CONFIG.format(folder=folder), encoding="utf-8")
    return folder


def config_of(folder: Path, *changes: str):
    return read_run_config(folder / "more.yaml", [f"from={folder / 'base'}", *changes])


def values(model) -> list[np.ndarray]:
    return [weight.numpy() for weight in model.weights]


def test_a_run_begins_with_the_presets_words_weights_and_sizes(folder: Path) -> None:
    base = zoo.load(folder / "base")
    model = make_task(config_of(folder, "model.dropout=0.5"), None).model
    assert model.tokenizer.vocabulary == base.tokenizer.vocabulary
    for one, other in zip(values(model), values(base), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.settings.cell == "rnn"
    assert (base.settings.dropout, model.settings.dropout) == (0.25, 0.5)


def test_new_words_begin_near_the_unknown_word(folder: Path) -> None:
    base = zoo.load(folder / "base")
    model = make_task(config_of(folder, "data.new_words=3"), None).model
    old = base.tokenizer.vocabulary
    assert model.tokenizer.vocabulary[: len(old)] == old
    assert model.tokenizer.vocabulary[len(old) :] == ("here", "zebra", "heron")
    before, after = base.embedding.embeddings.numpy(), model.embedding.embeddings.numpy()
    np.testing.assert_array_equal(after[: len(old)], before)
    new = after[len(old) :]
    assert len(np.unique(new, axis=0)) == 3
    assert np.abs(new - before[UNK]).max() < before.std()
    assert model.output_projection.kernel.shape[1] == len(old) + 3
    assert np.isfinite(model.score(["the zebra"])[0].log_prob)


def test_a_frozen_layer_keeps_its_weights_in_a_step(folder: Path, tmp_path: Path) -> None:
    run = make_run(config_of(folder, "training.freeze=[embedding]"), None, tmp_path / "out")
    before = values(run.task.model)
    run.step(next(iter(run.task.batches(0))))
    after = values(run.task.model)
    moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert not moved[0]
    assert all(moved[1:])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["training.freeze=[embeddings]"], "no layer 'embeddings'; layers are embedding, "),
        (["training.freeze=[embedding,recurrent_0,output]"], "no layer is left to train"),
        (["model.units=9"], "is .* in the preset, the config makes .*; leave out of model"),
        (["from=kn5_tatoeba_en"], "kn5_tatoeba_en: it is a NGramLanguageModel"),
        (["from=nobody"], "no preset or directory 'nobody'"),
    ],
)
def test_what_cannot_be_gone_on_from_is_said(
    changes: list[str], message: str, folder: Path
) -> None:
    with pytest.raises(ZooError, match=message):
        make_task(config_of(folder, *changes), None)


def test_only_one_axis_grows() -> None:
    rng, old = np.random.default_rng(0), np.zeros((6, 3), "float32")
    assert grown(old, (6, 5), rng, "w").shape == (6, 5)
    for shape in ((8, 5), (4, 5), (6, 2), (6, 3, 1)):
        with pytest.raises(ZooError, match="w is"):
            grown(old, shape, rng, "w")
