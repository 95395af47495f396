"""Every model of the zoo as a Keras user handles it; the models are those of ARCHITECTURES."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.helpers import losses
from tests.helpers.architectures import ARCHITECTURES, ONE_OF_EACH_KIND, made
from tests.helpers.conformance import recurrent_layers
from zoo import upward
from zoo.errors import ZooError
from zoo.models.keras_file import OtherModel
from zoo.models.keras_model import KerasModel

COUNTED = [name for name, architecture in ARCHITECTURES.items() if architecture.is_counted]
TRAINED_KINDS = [name for name in ONE_OF_EACH_KIND if name not in COUNTED]


def texts_of(model: Any) -> tuple[list[str], ...]:
    """What `fit` takes: texts, and their translations or labels."""
    if model.reads == "pairs":
        return losses.GERMAN, losses.ENGLISH
    if model.reads == "labelled":
        return losses.ENGLISH, [model.labels[i] for i in (0, 2, 1)]
    if model.reads == "tagged":
        words = map(model.tokenizer.tokenize, losses.ENGLISH)
        return losses.ENGLISH, [" ".join(model.labels[len(w) % 3] for w in row) for row in words]
    return (losses.ENGLISH,)


def inputs_of(model: Any) -> Any:
    """What `predict` takes, as texts."""
    texts = texts_of(model)
    return texts if model.reads == "pairs" else texts[0]


def copy_of(name: str) -> Any:
    """A listed model with its weights, of which the output layer alone is trained here.

    The gradients of the others: tests/test_conformance.py.
    """
    model = keras.models.clone_model(made(ARCHITECTURES[name]))
    model.set_weights(made(ARCHITECTURES[name]).get_weights())
    for layer in model.layers:
        layer.trainable = layer is model.output_projection
    for layer in recurrent_layers(model):
        layer.jit_compile = False  # XLA would compile for seconds
    return model


def arrays_of(model: Any) -> Any:
    """Inputs, targets and weights as arrays."""
    texts = texts_of(model)
    return model.collate([model.example(*row) for row in zip(*texts, strict=True)])


def data_set_of(model: Any) -> Any:
    texts = texts_of(model)
    return tf.data.Dataset.from_tensor_slices(texts if len(texts) > 1 else texts[0]).batch(3)


@pytest.fixture(params=TRAINED_KINDS, scope="module")
def trained(request, tmp_path_factory):
    """A model of each kind, trained on texts for a step, and the file of the best one."""
    model, path = copy_of(request.param), tmp_path_factory.mktemp("keras") / "best.keras"
    model.compile(optimizer=keras.optimizers.SGD(0.1), run_eagerly=True)
    checkpoint = keras.callbacks.ModelCheckpoint(path)
    history = model.fit(
        *texts_of(model), validation_data=data_set_of(model), callbacks=[checkpoint], verbose=0
    )
    return model, path, history.history


def test_a_config_makes_the_model_again(trained):
    model, _, _ = trained
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    assert again.get_config() == model.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


def test_a_trained_model_is_saved_and_loaded(trained):
    model, path, history = trained
    figure = model.default_metrics()[0].name
    assert set(history) == {"loss", figure, "val_loss", f"val_{figure}"}
    assert history["val_loss"][0] < history["loss"][0]
    loaded = keras.models.load_model(path)
    assert type(loaded) is type(model)
    assert loaded.get_config() == model.get_config()
    x, _, _ = arrays_of(model)
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) == 1


def test_arrays_texts_and_data_sets_are_the_same_to_it(trained):
    model, _, _ = trained
    x, y, weights = arrays_of(model)
    by_texts = model.evaluate(*texts_of(model), verbose=0)
    by_data = model.evaluate(data_set_of(model), verbose=0, return_dict=True)
    if isinstance(x, dict):  # words are hidden at random
        assert np.isfinite([*by_texts, *by_data.values()]).all()
    else:
        by_arrays = model.evaluate(x, y, sample_weight=weights, verbose=0)
        np.testing.assert_allclose(by_arrays, by_texts, rtol=1e-5)
        assert by_data["loss"] == pytest.approx(by_texts[0], rel=1e-5)
    expected = model(x)
    for given in (list(x) if isinstance(x, tuple) else x, inputs_of(model), data_set_of(model)):
        np.testing.assert_allclose(model.predict(given, verbose=0), expected, atol=1e-5)


def test_it_is_trained_on_arrays_and_on_a_data_set():
    model = copy_of("seq2seq_base")
    model.compile(run_eagerly=True)
    (source, inputs), y, weights = arrays_of(model)
    assert np.isfinite(
        model.fit([source, inputs], y, sample_weight=weights, verbose=0).history["loss"]
    )
    assert np.isfinite(model.fit(data_set_of(model), verbose=0).history["loss"])


@pytest.mark.parametrize("name", ["nplm", "seq2seq_base", "ngram_kneser_ney"])
def test_the_perplexity_of_texts_is_that_of_their_scores(name):
    model = made(ARCHITECTURES[name]) if name in COUNTED else copy_of(name)
    if name not in COUNTED:
        model.compile(run_eagerly=True)
    texts = texts_of(model)
    scores = model.score(list(zip(*texts, strict=True)) if len(texts) > 1 else texts[0])
    nats, tokens = sum(s.log_prob for s in scores), sum(s.tokens for s in scores)
    loss, perplexity = model.evaluate(*texts, verbose=0)
    assert loss == pytest.approx(-nats / tokens, rel=1e-5)
    assert perplexity == pytest.approx(np.exp(-nats / tokens), rel=1e-4)


def test_weights_and_a_share_of_the_texts_are_held_out():
    model = copy_of("nplm")
    model.compile(optimizer="sgd", run_eagerly=True)
    texts = [*losses.ENGLISH, "she"]
    model.fit(texts, validation_split=0.25, sample_weight=[1, 1, 0, 1], verbose=0)
    only = model.evaluate(losses.ENGLISH[:1], verbose=0)
    weighted = model.evaluate(losses.ENGLISH[:2], sample_weight=[1, 0], verbose=0)
    np.testing.assert_allclose(only, weighted, rtol=1e-5)


@pytest.mark.parametrize("name", COUNTED[-1:])
def test_counts_behave_as_a_keras_model(name, tmp_path):
    model, texts = made(ARCHITECTURES[name]), losses.ENGLISH
    predicted = model.predict(texts)
    assert predicted.shape[0], predicted.shape[2] == (3, model.tokenizer.vocabulary_size)
    np.testing.assert_allclose(np.exp(predicted[0, 0]).sum(), 1.0, atol=1e-4)
    mixture = zoo.models.InterpolatedLanguageModel([model, model])
    for each in (model, mixture):
        each.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert isinstance(loaded, OtherModel)
        assert loaded.score(texts) == each.score(texts)
        np.testing.assert_array_equal(loaded.predict(texts), each.predict(texts))
        assert type(zoo.load(tmp_path / "model.keras")) is type(each)
        for method in ("fit", "compile"):
            with pytest.raises(ZooError, match=f"{method}: a .* is not trained by gradients; "):
                getattr(each, method)(texts)
    with pytest.raises(ZooError, match=r"ends in \.keras"):
        model.save(tmp_path / "model.h5")


def test_an_export_is_asked_for_by_names_that_exist():
    """The exports themselves: tests/export, which has some made by `model.export`."""
    for module, function in upward.ELSEWHERE.values():
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", ["nplm", "ngram_mle"])
def test_what_keras_would_do_wrong_names_what_does_it(name):
    model = made(ARCHITECTURES[name])
    with pytest.raises(ZooError, match="quantize="):
        model.quantize("int8")
    with pytest.raises(ZooError, match="'onnx'.*'tf_saved_model' or 'litert'"):
        model.export("x", format="onnx")


def test_bad_data_say_what_was_wrong():
    model, translator = made(ARCHITECTURES["nplm"]), made(ARCHITECTURES["seq2seq_base"])
    for call, message in [
        (lambda: model.fit("one"), "give a list of str"),
        (lambda: model.fit(["a"], ["b"]), "learns from the texts alone"),
        (lambda: model.fit(["a"], sample_weight=[1, 2]), "sample_weight has 2"),
        (lambda: model.fit(["a", "b"], validation_split=0.1), "leaves one part empty"),
        (lambda: model.fit(tf.data.Dataset.from_tensor_slices(["a"])), "add .batch"),
        (lambda: translator.fit(["a"]), "takes sources and targets"),
        (lambda: translator.predict(["a"]), r"translate\(sources\)"),
    ]:
        with pytest.raises(ZooError, match=message):
            call()


def edited(path: Path, change: Any) -> Path:
    """A `.keras` file with another config."""
    import zipfile

    target = path.with_name("edited.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


HOSTILE = {
    "large": lambda c: c["config"].update(units=900_000),
    "far": lambda c: c["config"].update(window=900_000),
    "wide": lambda c: c["config"].update(units=3000),
    "other tokenizer": lambda c: c["config"]["tokenizer"].update({"class": "os.system"}),
    "no tokenizer": lambda c: c["config"].pop("tokenizer"),
    "unknown argument": lambda c: c["config"].update(surprise=1),
    "another class": lambda c: c.update(registered_name="zoo>Trainer", class_name="Trainer"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    made(ARCHITECTURES["nplm"]).save(path)
    return path


@pytest.mark.parametrize("change", HOSTILE)
def test_a_changed_file_is_refused_before_memory_is_taken(change, saved):
    path = edited(saved, HOSTILE[change])
    with pytest.raises(ZooError) as caught:
        zoo.load(path)
    assert "\n" not in str(caught.value)
    if change in ("large", "far", "other tokenizer", "no tokenizer"):
        with pytest.raises(ZooError):  # Keras's own loading has no weights to compare with
            keras.models.load_model(path)


def test_files_that_are_no_models(tmp_path, saved):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "stock.keras")
    (tmp_path / "cut.keras").write_bytes(saved.read_bytes()[:500])
    (tmp_path / "empty.keras").touch()
    messages = {"stock": "keras.models.load_model", "cut": "no .keras", "empty": "no .keras"}
    for name, message in messages.items():
        with pytest.raises(ZooError, match=message):
            zoo.load(tmp_path / f"{name}.keras")


def test_a_policy_stays_with_its_model():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = ARCHITECTURES["nplm"].make()
    finally:
        keras.config.set_dtype_policy("float32")
    again = keras.models.clone_model(mixed)
    assert isinstance(again, KerasModel)
    assert again.embedding.compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"
