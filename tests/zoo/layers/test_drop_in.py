"""A drop-in is used as Keras's layer is: its cell, its files, its seeds, its masks."""

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo import layers
from zoo.errors import ZooError

DROP_INS = ["SimpleRNN", "GRU", "LSTM"]
X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")


def made(package, name, **arguments):
    layer = getattr(package, name)(5, **arguments)
    layer.build(X.shape)
    return layer


def model(package, name):
    """An embedding, a bidirectional layer, a plain one and an output."""
    inputs = keras.Input((4, 3))
    both = package.Bidirectional(getattr(package, name)(2, return_sequences=True))(inputs)
    hidden = getattr(package, name)(5)(keras.layers.Dense(3)(both))
    return keras.Model(inputs, keras.layers.Dense(2)(hidden))


@pytest.mark.parametrize("name", DROP_INS)
def test_cell_has_what_keras_s_cell_has(name):
    stock, ours = made(keras.layers, name).cell, made(layers, name).cell
    for attribute in ("units", "state_size", "output_size", "use_bias", "dropout", "name"):
        want = getattr(stock, attribute)
        assert getattr(ours, attribute) == want or attribute == "name", attribute
    for attribute in ("kernel", "recurrent_kernel", "bias"):
        assert getattr(ours, attribute).shape == getattr(stock, attribute).shape
        getattr(ours, attribute).assign(getattr(stock, attribute))
    states = [np.ones((2, 5), "float32")] * (2 if name == "LSTM" else 1)
    got, want = ours(X[:, 0], states), stock(X[:, 0], states)
    for a, b in zip(keras.tree.flatten(got), keras.tree.flatten(want), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    with pytest.raises(AttributeError, match="peephole"):
        ours.peephole  # noqa: B018


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
@pytest.mark.parametrize("name", DROP_INS)
def test_weights_go_both_ways(name, ending, tmp_path):
    path = tmp_path / f"model{ending}"
    packages = [(keras.layers, layers), (layers, keras.layers)]
    for source, target in packages:
        saved, loaded = model(source, name), model(target, name)
        saved.save_weights(path) if ending == ".weights.h5" else saved.save(path)
        loaded.load_weights(path)
        np.testing.assert_allclose(loaded(X), saved(X), atol=1e-6)


@pytest.mark.parametrize("name", DROP_INS)
def test_a_model_file_of_keras_becomes_a_model_of_ours(name, tmp_path):
    stock = model(keras.layers, name)
    stock.save(tmp_path / "stock.keras")

    def ours(layer):
        made_here = getattr(layers, type(layer).__name__, type(layer))
        return made_here.from_config(layer.get_config())

    loaded = keras.models.clone_model(
        keras.models.load_model(tmp_path / "stock.keras"), clone_function=ours
    )
    assert isinstance(loaded.layers[-2], getattr(layers, name))
    loaded.load_weights(tmp_path / "stock.keras")
    np.testing.assert_allclose(loaded(X), stock(X), atol=1e-6)


def test_files_of_earlier_versions_are_read(tmp_path):
    """They hold all of a layer's variables in one place, learnt initial states too."""
    saved, loaded = (
        keras.Sequential([keras.Input((4, 3)), layers.LSTM(5, learn_initial_state=True)])
        for _ in range(2)
    )
    saved.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in saved.weights])
    saved.save_weights(tmp_path / "new.weights.h5")
    with h5py.File(tmp_path / "new.weights.h5") as new:
        assert sorted(new["layers/lstm/cell/vars"]) == ["0", "1", "2"]
        assert sorted(new["layers/lstm/vars"]) == ["0", "1"]
    with h5py.File(tmp_path / "old.weights.h5", "w") as old:
        for i, weight in enumerate(saved.get_weights()):
            old[f"layers/lstm/vars/{i}"] = weight
    for name in ("old", "new"):
        loaded.set_weights([w * 0 for w in saved.get_weights()])
        loaded.load_weights(tmp_path / f"{name}.weights.h5")
        for a, b in zip(loaded.get_weights(), saved.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("saved", [{}, {"use_bias": False}])
def test_a_file_of_another_layer_is_refused(saved, tmp_path):
    loaded = {} if saved else {"use_bias": False}
    path = tmp_path / "model.weights.h5"
    keras.Sequential([keras.Input((4, 3)), keras.layers.LSTM(5, **saved)]).save_weights(path)
    with pytest.raises(ValueError, match="lstm"):
        keras.Sequential([keras.Input((4, 3)), layers.LSTM(5, **loaded)]).load_weights(path)


@pytest.mark.parametrize("name", [*DROP_INS, "Bidirectional"])
@pytest.mark.parametrize("arguments", [{}, {"seed": 3, "dropout": 0.2}])
def test_a_seed_gives_keras_s_weights(name, arguments):
    weights = []
    for package in (keras.layers, layers):
        keras.utils.set_random_seed(1)
        wrapped = "LSTM" if arguments else "SimpleRNN"  # the config of Keras's loses the seed
        first = getattr(package, wrapped if name == "Bidirectional" else name)(5, **arguments)
        layer = package.Bidirectional(first) if name == "Bidirectional" else first
        layer.build(X.shape)
        dense = keras.layers.Dense(2)  # what is drawn after the layer's is Keras's too
        dense.build((2, 5))
        weights.append([*layer.get_weights(), *dense.get_weights()])
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("integer", [np.int64, np.int32, np.uint8])
def test_sizes_may_be_numpy_s_integers(integer):
    for layer in (layers.GRU(integer(5)), layers.CIFG(integer(5), projection_units=integer(3))):
        layer(X)
        assert type(layer.units) is int
        assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(layer.projection_units) is int
    assert type(layers.BahdanauAttention(integer(5)).units) is int
    with pytest.raises(ZooError, match=r"5\.0"):
        layers.GRU(5.0)


@pytest.mark.parametrize("options", [{}, {"zero_output_for_mask": True}, {"go_backwards": True}])
@pytest.mark.parametrize("name", DROP_INS)
def test_a_mask_may_have_an_axis_of_one(name, options):
    mask = np.array([[1, 1, 0, 0], [0, 1, 1, 1]], bool)[..., None]
    stock = made(keras.layers, name, return_sequences=True, **options)
    ours = made(layers, name, return_sequences=True, **options)
    ours.set_weights(stock.get_weights())
    np.testing.assert_allclose(ours(X, mask=mask), stock(X, mask=mask), atol=1e-6)
    np.testing.assert_array_equal(ours(X, mask=mask), ours(X, mask=mask[..., 0]))
    compiled = tf.function(lambda x: ours(x, mask=mask))
    np.testing.assert_allclose(compiled(X), ours(X, mask=mask), atol=1e-6)


@pytest.mark.parametrize("name", DROP_INS)
def test_a_stateful_layer_names_another_batch_size(name):
    layer = made(layers, name, stateful=True)
    layer(X)
    with pytest.raises(ZooError, match="batches of 2 rows got 3") as caught:
        layer(np.zeros((3, 4, 3), "float32"))
    assert len(str(caught.value).split("Arguments received")[0].strip().splitlines()) <= 3


def test_exponential_activations_are_keras_s():
    """They overflow on both sides, at the same steps: h_t = exp(W x_t + U h_{t-1}) does grow."""
    stock = made(keras.layers, "SimpleRNN", activation="exponential", return_sequences=True)
    ours = made(layers, "SimpleRNN", activation="exponential", return_sequences=True)
    stock.set_weights([np.full(w.shape, 0.5) for w in stock.get_weights()])
    ours.set_weights(stock.get_weights())
    want = stock(X).numpy()
    assert np.isinf(want).any()
    np.testing.assert_allclose(ours(X), want, rtol=1e-5)
