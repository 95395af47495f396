"""Configs: what is read, what is refused, and in which words."""

from __future__ import annotations

import pytest

from training.config import CONFIGS, read_run_config
from training.experiments.config import read_experiment
from zoo.errors import ZooError

PUBLISHED = [path for path in sorted(CONFIGS.glob("*.yaml")) if read_experiment(path) is None]
MINIMAL = "name: toy\ndata: {name: tatoeba_en}\nmodel: {class: RecurrentLanguageModel}\n"


@pytest.fixture
def write(tmp_path):
    def write_config(text):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_config


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_configs_are_valid_and_named_like_their_files(path):
    config = read_run_config(path)
    assert config.name == path.stem
    assert config.description


def test_changes_reach_nested_keys(write):
    changes = ["training.optimizer.learning_rate=1e-2", "training.epochs=3", "model.units=7"]
    config = read_run_config(write(MINIMAL), changes)
    assert config.training.optimizer.learning_rate == 0.01
    assert config.training.epochs == 3
    assert config.model["units"] == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "epochs: 3\n", "unknown key 'epochs'"),
        (MINIMAL + "training: {epochs: many}\n", "training: epochs is 'many'; expected int"),
        (MINIMAL + "training: {epochs: true}\n", "expected int"),
        (MINIMAL + "training: [1]\n", "expected a mapping"),
        ("name: toy\nmodel: {class: X}\n", "key 'data' is missing"),
        ("name: toy\ndata: {name: ptb}\nmodel: {}\n", "model.class is missing"),
        ("experiment: story\n", "use `zoo gradients"),
        ("- a\n", "top level must be a mapping"),
        ("a: [", "not a readable YAML file"),
    ],
)
def test_bad_configs_are_refused_in_one_line(write, text, message):
    with pytest.raises(ZooError, match=message.replace("[", r"\[")) as error:
        read_run_config(write(text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("change", ["epochs", "=3", "name.x=1", "training.epochs=[1"])
def test_bad_changes_are_refused(write, change):
    with pytest.raises(ZooError, match="--set|expected"):
        read_run_config(write(MINIMAL), [change])


def test_a_missing_file_names_the_known_configs():
    with pytest.raises(ZooError, match="lstm_tatoeba_en"):
        read_run_config("no_such_config")


def test_a_config_extends_another(tmp_path):
    extended = tmp_path / "deeper.yaml"
    extended.write_text("extends: lstm_tatoeba_en\nname: deeper\nmodel:\n  num_layers: 2\n")
    deeper, plain = read_run_config(extended), read_run_config("lstm_tatoeba_en")
    assert deeper.model == {**plain.model, "num_layers": 2}
    assert (deeper.name, deeper.training) == ("deeper", plain.training)


def test_a_config_that_extends_itself_is_refused(tmp_path):
    config = tmp_path / "loop.yaml"
    config.write_text(f"extends: {config}\nname: loop\n")
    with pytest.raises(ZooError, match="extends itself"):
        read_run_config(config)
