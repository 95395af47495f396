"""Training: it learns, it resumes exactly after a kill, it stops on NaN with a word of advice."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from tests.helpers.corpus import english
from training.config import read_run_config
from training.run.fit import make_run, train_epochs
from zoo.errors import ZooError

CONFIG = """
name: toy
description: a toy grammar
data: {{name: {data}, vocabulary_size: null}}
model: {{class: {model}, units: 24, embedding_dim: 16{more}}}
training:
  epochs: 4
  batch_size: 16
  time_steps: 8
  optimizer: {{learning_rate: 0.02, clip_norm: 1.0}}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with the toy grammar as train, valid and test text."""
    folder = tmp_path_factory.mktemp("toy")
    sentences = english(400)
    for name, part in (("train", sentences[:300]), ("valid", sentences[300:350]),
                       ("test", sentences[350:])):  # fmt: skip
        (folder / f"{name}.txt").write_text("\n".join(part), encoding="utf-8")
    return folder


@pytest.fixture
def config_file(tmp_path, data):
    def write(model="RecurrentLanguageModel", more=", num_layers: 1, dropout: 0.1"):
        path = tmp_path / "toy.yaml"
        path.write_text(CONFIG.format(data=data, model=model, more=more), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("model", "more", "metric", "goal"),
    [
        ("RecurrentLanguageModel", ", num_layers: 1, cell: gru", "valid_perplexity", 4.5),
        ("RecurrentLanguageModel", ", num_layers: 1, cell: cifg", "valid_perplexity", 5.5),
        ("NeuralProbabilisticLanguageModel", ", window: 4", "valid_perplexity", 4.5),
        ("BidirectionalLanguageModel", ", cell: rnn", "valid_cloze_perplexity", 6.0),
        (
            "BidirectionalLanguageModel",
            ", cell: gru, mixing: layers",
            "valid_cloze_perplexity",
            9.0,
        ),
    ],
)
def test_each_model_learns_the_toy_grammar(model, more, metric, goal, config_file, tmp_path):
    """The grammar's own perplexity is about 3.4 a token; untrained models are near 40."""
    config = read_run_config(config_file(model, more))
    rows = list(train_epochs(config, out=tmp_path / "out"))
    assert rows[-1][metric] < goal
    assert rows[-1]["loss"] < rows[0]["loss"]
    loaded = zoo.load(tmp_path / "out")
    assert type(loaded).__name__ == model


def weights_of(folder):
    return [w.numpy() for w in zoo.load(folder).weights]


def test_an_earlier_run_is_not_overwritten(config_file, tmp_path):
    config = read_run_config(config_file(), ["training.epochs=1"])
    list(train_epochs(config, out=tmp_path / "out"))
    with pytest.raises(ZooError, match="--resume"):
        list(train_epochs(config, out=tmp_path / "out"))
    other = read_run_config(config_file(), ["training.epochs=2", "model.units=9"])
    with pytest.raises(ZooError, match="of another model|the config makes"):
        list(train_epochs(other, out=tmp_path / "out", resume=True))
    checkpoint = tmp_path / "out.training" / "checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:500])
    with pytest.raises(ZooError, match="is damaged"):
        list(train_epochs(config, out=tmp_path / "out", resume=True))


def test_an_exploding_run_stops_and_keeps_its_checkpoint(config_file, tmp_path):
    config = read_run_config(config_file(), ["training.epochs=2", "training.loss_every=3"])
    run = make_run(config, None, tmp_path / "out")
    epochs = run.epochs()
    next(epochs)
    kept = run.checkpoint.read_bytes()
    steps = run.state.steps
    run.state.learning_rate = 1e38
    with pytest.raises(ZooError, match=r"gradients exploded; lower .*clip_norm.*--resume"):
        next(epochs)
    assert run.state.steps <= steps + config.training.loss_every
    assert run.checkpoint.read_bytes() == kept
    again = make_run(config, None, tmp_path / "out")
    again.resume()
    assert all(np.isfinite(weight).all() for weight in again.trainer.get_weights())


def test_training_does_not_retrace(config_file, tmp_path):
    """Batches of every length run through few traces of one step function."""
    run = make_run(read_run_config(config_file()), None, tmp_path / "out")
    shapes, traces = set(), []
    loss = run.trainer.loss_function
    run.trainer.loss_function = lambda *arguments: traces.append(1) or loss(*arguments)
    for batch in run.task.batches(0):
        shapes.add(batch["inputs"].shape)
        run.step(batch)
    assert len(shapes) >= 3
    assert len(traces) <= 3


def test_a_run_compiles_its_step_anew_when_the_softmax_becomes_exact(config_file, tmp_path):
    """The reported loss of the last epoch is then that of the whole vocabulary, not of one word."""
    changes = ["training.softmax=sampled", "training.softmax_samples=1", "training.epochs=2",
               "training.softmax_exact_from=2", "training.optimizer.learning_rate=1e-9",
               "training.stream=true", "training.random_time_steps=true",
               "model.dropout=0.0"]  # fmt: skip
    first, last = train_epochs(read_run_config(config_file(), changes), out=tmp_path / "out")
    assert last["loss"] == pytest.approx(np.log(first["valid_perplexity"]), abs=0.05)
    assert abs(first["loss"] - last["loss"]) > 0.5


def test_algorithm_1_bounds_the_update(config_file, tmp_path):
    """With SGD at rate 1 the step's length is the clipped gradient's norm."""
    changes = ["training.optimizer.name=sgd", "training.optimizer.learning_rate=1.0",
               "training.optimizer.clip_norm=0.01", "model.dropout=0.0"]  # fmt: skip
    run = make_run(read_run_config(config_file(), changes), None, tmp_path / "out")
    before = [w.numpy().copy() for w in run.task.model.trainable_weights]
    run.step(next(iter(run.task.batches(0))))
    moved = [w.numpy() - b for w, b in zip(run.task.model.trainable_weights, before, strict=True)]
    norm = np.sqrt(sum(float((m.astype(np.float64) ** 2).sum()) for m in moved))
    assert norm == pytest.approx(0.01, rel=1e-2)


def test_one_pass_adam_is_adam():
    import keras

    from training.run.optimizers import OnePassAdam

    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 3)).astype("float32")
    gradients = rng.normal(size=(4, 5, 3)).astype("float32")
    results = []
    for optimizer in (OnePassAdam(0.1), keras.optimizers.Adam(0.1)):
        variable = keras.Variable(start)
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        results.append(variable.numpy())
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)


def test_averaged_sgd_validates_the_mean_of_the_weights(config_file, tmp_path):
    changes = ["training.optimizer.name=sgd", "training.optimizer.average=true",
               "training.optimizer.average_after=0", "training.epochs=2"]  # fmt: skip
    run = make_run(read_run_config(config_file(), changes), None, tmp_path / "out")
    list(run.epochs())
    assert run.state.averaged_steps > 1
    saved = weights_of(tmp_path / "out")
    current = [w.numpy() for w in run.task.model.weights]
    assert any(not np.allclose(s, c) for s, c in zip(saved, current, strict=True))


def test_the_bars_figures_are_a_readers():
    from training.run.loop import figures_so_far

    assert figures_so_far(3.0, 12345.6) == "loss 3.000  perplexity 20.1  12,346 tokens/s"
    assert "perplexity beyond" in figures_so_far(1e3, 0.0)
