"""Configs: what is read, what is refused, and in which words."""

from __future__ import annotations

import inspect

import pytest
import yaml

import zoo
from training.config import (
    CONFIGS,
    DataConfig,
    RunConfig,
    TrainingConfig,
    published_configs,
    read_run_config,
)
from training.experiments.config import ExperimentConfig, Network, read_experiment
from training.tasks.translation import TranslationOptions
from zoo.errors import ZooError

PUBLISHED = [path for path in published_configs() if read_experiment(path) is None]
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
    assert config.model.options["units"] == 7


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
    assert deeper.model.options == {**plain.model.options, "num_layers": 2}
    assert (deeper.name, deeper.training) == ("deeper", plain.training)


def test_a_config_that_extends_itself_is_refused(tmp_path):
    config = tmp_path / "loop.yaml"
    config.write_text(f"extends: {config}\nname: loop\n")
    with pytest.raises(ZooError, match="extends itself"):
        read_run_config(config)


def assert_every_key(content, config):
    """The file names each key of the schema, none besides, and in every section."""
    keys = {field.alias or name for name, field in type(config).model_fields.items()}
    assert keys <= set(content)
    for name, value in config:
        if hasattr(type(value), "model_fields"):
            assert_every_key(content[name], value)


def test_the_reference_explains_every_key_and_shows_its_default():
    path = CONFIGS / "reference.yaml"
    config = read_run_config(path)
    assert_every_key(yaml.safe_load(path.read_text(encoding="utf-8")), config)
    assert config.training == TrainingConfig()
    assert config.data == DataConfig(name=config.data.name)
    assert config.seed == RunConfig.model_fields["seed"].default
    explained = path.read_text(encoding="utf-8")
    for name in (
        *("RecurrentLanguageModel", "NeuralProbabilisticLanguageModel"),
        *("BidirectionalLanguageModel", "BidirectionalTagger", "Seq2Seq"),
    ):
        _, _, section = explained.partition(f"class: {name}")
        arguments = inspect.signature(getattr(zoo.models, name)).parameters
        options = [key for key in arguments if "tokenizer" not in key and key != "kwargs"]
        assert [key for key in options if key not in section] == []
    assert [key for key in TranslationOptions.model_fields if key not in explained] == []
    model = inspect.signature(zoo.models.RecurrentLanguageModel).parameters
    assert all(model[key].default == value for key, value in config.model.options.items())


def test_the_reference_of_experiments_explains_every_key_and_shows_its_default():
    path = CONFIGS / "reference_experiment.yaml"
    config = read_experiment(path)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert_every_key(content, config)
    for name, network in config.networks.items():
        assert_every_key(content["networks"][name], network)
        assert network == Network(cell=network.cell)
    told = {"description": config.description, "networks": config.networks}
    assert config == ExperimentConfig(experiment=config.experiment, **told)


def test_each_key_of_a_reference_has_a_comment():
    for path in CONFIGS.glob("reference*.yaml"):
        for line in path.read_text(encoding="utf-8").splitlines():
            key, colon, value = line.partition(":")
            if colon and "#" not in key and value.strip():
                assert "#" in value, line
