"""Cells for `keras.layers.RNN`: the numbers of our layers and of Keras's cells."""

import inspect

import keras
import numpy as np
import pytest

from tests.zoo.layers.test_signatures import parameters
from zoo import layers

NAMES = ["SimpleRNN", "GRU", "LSTM", "CIFG"]
STOCK = NAMES[:3]
X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")


def layer_and_cell(name, **arguments):
    """Our layer and `RNN` of our cell, with the same weights, all of them other than at first."""
    layer = getattr(layers, name)(5, return_sequences=True, return_state=True, **arguments)
    cell = getattr(layers, f"{name}Cell")(5, **arguments)
    wrapped = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    layer(X), wrapped(X)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.4, w.shape) for w in layer.get_weights()])
    wrapped.set_weights(layer.get_weights())
    return layer, wrapped, cell


def assert_same(got, want):
    for a, b in zip(keras.tree.flatten(got), keras.tree.flatten(want), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[(name, {}) for name in NAMES],
        ("GRU", {"reset_after": False}),
        ("LSTM", {"use_bias": False, "activation": "relu"}),
        ("CIFG", {"projection_units": 2}),
    ],
)
def test_a_cell_is_its_layer(name, arguments):
    layer, wrapped, cell = layer_and_cell(name, **arguments)
    assert_same(wrapped(X), layer(X))
    states = cell.get_initial_state(2)  # a loop of one's own
    for t in range(4):
        output, states = cell(X[:, t], states)
    assert_same([output, *states], [layer(X)[0][:, -1], *layer(X)[1:]])
    assert cell.output_size == layer.output_size
    assert [cell.name for cell in wrapped.weights] == [w.name for w in layer.weights]


@pytest.mark.parametrize(
    "rates", [{}, {"dropout": 0.4}, {"dropout": 0.4, "recurrent_dropout": 0.3}]
)
@pytest.mark.parametrize("name", STOCK)
def test_a_cell_is_keras_s_in_training_too(name, rates):
    stock, ours = (
        keras.layers.RNN(getattr(package, f"{name}Cell")(5, seed=3, **rates))
        for package in (keras.layers, layers)
    )
    ours(X), stock(X)
    ours.set_weights(stock.get_weights())
    assert_same(ours(X, training=True), stock(X, training=True))
    assert ours.cell.state_size == stock.cell.state_size
    steps = [each.cell(X[:, 0], each.cell.get_initial_state(2)) for each in (ours, stock)]
    assert_same(*steps)


@pytest.mark.parametrize("name", STOCK)
def test_arguments_are_keras_s_in_its_order(name):
    stock, ours = (getattr(package, f"{name}Cell") for package in (keras.layers, layers))
    assert [(p.name, p.default, p.kind) for p in parameters(ours)] == [
        (p.name, p.default, p.kind) for p in parameters(stock)
    ]
    config = stock(3, dropout=0.1, name="one").get_config()
    assert ours.from_config(config).get_config() == config


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_has_a_type_and_comes_back_from_the_config(name):
    cell = getattr(layers, f"{name}Cell")
    for parameter in parameters(cell):
        assert parameter.annotation not in (inspect.Parameter.empty, "Any"), parameter.name
    given = {"units": 4, "use_bias": False, "recurrent_dropout": 0.2, "seed": 1, "name": "one"}
    config = cell(**given).get_config()
    assert {key: config[key] for key in given} == given
    assert cell.from_config(config).get_config() == config


def test_stacked_cells_are_stacked_layers_and_are_saved(tmp_path):
    cells = [layers.LSTMCell(4), layers.GRUCell(3), layers.CIFGCell(5, projection_units=2)]
    stack = keras.Sequential([keras.Input((4, 3)), keras.layers.RNN(cells)])
    stack.save(tmp_path / "stack.keras")
    loaded = keras.models.load_model(tmp_path / "stack.keras")
    assert_same(loaded(X), stack(X))
    three = [layers.LSTM(4, return_sequences=True), layers.GRU(3, return_sequences=True)]
    apart = keras.Sequential([keras.Input((4, 3)), *three, layers.CIFG(5, projection_units=2)])
    apart.set_weights(stack.get_weights())
    assert_same(apart(X), stack(X))


@pytest.mark.parametrize("name", STOCK)
def test_weights_of_keras_s_cells_are_read(name, tmp_path):
    stock, ours = (
        keras.Sequential([keras.Input((4, 3)), keras.layers.RNN(getattr(p, f"{name}Cell")(5))])
        for p in (keras.layers, layers)
    )
    stock.save_weights(tmp_path / "stock.weights.h5")
    ours.load_weights(tmp_path / "stock.weights.h5")
    assert_same(ours(X), stock(X))
