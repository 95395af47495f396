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
from training.tasks.cloze import ClozeOptions
from training.tasks.restoring import RestoringOptions
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
    for options in (TranslationOptions, RestoringOptions, ClozeOptions):
        assert [key for key in options.model_fields if key not in explained] == []
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


CELL_OF_A_NAME = {
    "rnn": "rnn",
    "irnn": "rnn",
    "gru": "gru",
    "lstm": "lstm",
    "cifg": "cifg",
    "deep_lstm": "lstm",
    "deep_birnn": "rnn",
    "deep_bigru": "gru",
}
EXTENSIONS = {
    "i": ("separate_weights", True),
    "i_ii": ("feed_context", True),
    "i_iii": ("num_layers", 2),
    "i_iv": ("bidirectional_encoder", True),
    "i_v": ("reverse_source", True),
}


def test_a_config_has_the_cell_that_its_name_says():
    named = 0
    for path in PUBLISHED:
        kind = path.stem.removeprefix("deep_").partition("_")[0]
        kind = f"deep_{kind}" if path.stem.startswith("deep_") else kind
        if kind in CELL_OF_A_NAME:
            assert read_run_config(path).model.options["cell"] == CELL_OF_A_NAME[kind], path.stem
            named += 1
    assert named > 15


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_notes_own_form_has_the_notes_matrices_and_no_others(cell):
    """[5] and [6], section 3, section 4: W and U of the gates, W^(S), h_0 where it is named."""
    config = read_run_config(f"{cell}_notes_tatoeba_en")
    assert config.model.options["cell"] == cell
    small = {**config.model.options, "units": 3, "embedding_dim": 3}
    words = zoo.text.WordTokenizer.train(["the cat is small"])
    model = zoo.models.RecurrentLanguageModel(words, **small)
    names = sorted(w.name for w in model.weights if "seed" not in w.path)
    learnt = ["initial_h"] if cell == "rnn" else []
    assert names == sorted(["embeddings", "kernel", "kernel", "recurrent_kernel", *learnt])
    if cell == "rnn":
        assert model.recurrent_layers[0].activation.__name__ == "sigmoid"


@pytest.mark.parametrize("start", ["seq2seq_tatoeba", "multi30k"])
def test_each_extension_has_a_config_that_adds_it_alone(start):
    before = read_run_config(f"{start}_base").model.options
    off = {"separate_weights", "feed_context", "bidirectional_encoder", "reverse_source"}
    assert not any(before[switch] for switch in off)
    assert before["num_layers"] == 1
    for step, (switch, value) in EXTENSIONS.items():
        now = read_run_config(f"{start}_{step}").model.options
        assert now == {**before, switch: value}
        before = now


def test_who_says_all_extensions_has_them():
    for path in PUBLISHED:
        text = path.read_text(encoding="utf-8")
        if "every extension" in text or "all five" in text:
            options = read_run_config(path).model.options
            assert all(options[switch] == value for switch, value in EXTENSIONS.values()), path


def test_equations_2_3_and_4_have_rows_of_their_own():
    orders = {n: read_run_config(f"mle{n}_ptb").model.options for n in (2, 3)}
    assert all(o == {"order": n, "smoothing": "mle"} for n, o in orders.items())
    whole = read_run_config("nplm_ptb").model.options
    assert whole["direct"] is True
    assert read_run_config("nplm_without_w3_ptb").model.options == {**whole, "direct": False}
