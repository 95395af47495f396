import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import layers as helper
from zoo.errors import ZooError
from zoo.layers import CELLS, GRU, LSTM, Bidirectional, SimpleRNN, make_recurrent


@pytest.mark.parametrize("case", helper.CASES, ids=lambda case: case.name)
def test_layer(case):
    helper.run_layer_test(case)


def test_every_cell_is_a_case():
    assert {case.cell for case in helper.CASES} == set(CELLS)


def test_unknown_cell_is_named():
    with pytest.raises(ZooError, match="elman"):
        make_recurrent("elman", 4)


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_an_output_size_is_had_by_projection_or_by_units(cell):
    layer = make_recurrent(cell, 6, output_size=4, return_sequences=True)
    assert layer(helper.inputs("float32")).shape[-1] == layer.output_size == 4
    assert layer.units == (6 if layer.projection() is not None else 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"units": 0}, "units"), ({"units": 2, "dropout": 1.5}, "dropout must be")],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ZooError, match=message):
        LSTM(**arguments)


def test_wrong_number_of_states_is_refused():
    with pytest.raises(ZooError, match="h, c"):
        LSTM(3)(np.zeros((1, 2, 3), "float32"), initial_state=[np.zeros((1, 3), "float32")])


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_dropout_draws_keras_masks(name):
    x = helper.inputs("float32")
    arguments = {"dropout": 0.4, "recurrent_dropout": 0.3, "seed": 7}
    stock = getattr(keras.layers, name)(4, **arguments)
    ours = CELLS[{"SimpleRNN": "rnn", "GRU": "gru", "LSTM": "lstm"}[name]](4, **arguments)
    stock.build(x.shape)
    ours.build(x.shape)
    ours.set_weights(stock.get_weights())
    np.testing.assert_allclose(ours(x, training=True), stock(x, training=True), atol=1e-6)
    assert not np.allclose(ours(x, training=True), ours(x))


def test_weight_drop_masks_the_recurrent_kernel_in_training_only():
    layer = LSTM(4, weight_drop=0.5, seed=1)
    x = helper.inputs("float32")
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(layer(x).numpy(), layer(x).numpy())
    one_step = x[:, :1]  # h_0 = 0: the recurrent kernel has nothing to multiply
    np.testing.assert_array_equal(layer(one_step, training=True).numpy(), layer(one_step).numpy())


def test_identity_start():
    layer = SimpleRNN(3, activation="relu", recurrent_initializer="identity")
    layer.build((None, None, 2))
    np.testing.assert_array_equal(layer.recurrent_kernel.numpy(), np.eye(3))


def test_learnt_initial_state_is_used_and_overridden():
    layer = GRU(3, learn_initial_state=True)
    x = helper.inputs("float32")
    layer.build(x.shape)
    start = np.array([0.5, -0.2, 0.9], "float32")
    layer.initial_states[0].assign(start)
    given = np.repeat(start[None], helper.BATCH, 0)
    plain = GRU(3)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights()[:-1])
    np.testing.assert_allclose(layer(x), plain(x, initial_state=given), atol=1e-6)
    zeros = np.zeros_like(given)
    np.testing.assert_allclose(layer(x, initial_state=zeros), plain(x), atol=1e-6)


def test_reset_before_matches_keras():
    x = helper.inputs("float32")
    stock, ours = keras.layers.GRU(4, reset_after=False), GRU(4, reset_after=False)
    stock.build(x.shape)
    ours.build(x.shape)
    ours.set_weights(stock.get_weights())
    np.testing.assert_allclose(ours(x), stock(x), atol=1e-6)


def test_other_activations_are_differentiated_by_the_backend():
    x = tf.constant(helper.inputs("float32"))
    stock, ours = keras.layers.LSTM(4, activation="gelu"), LSTM(4, activation="gelu")
    results = []
    for layer in (stock, ours):
        layer.build(x.shape)
        layer.set_weights([np.full(w.shape, 0.1) for w in layer.get_weights()])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        results.append(tape.gradient(loss, [v.value for v in layer.trainable_variables]))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_stateful_carries_and_resets():
    x = helper.inputs("float32")
    layer = LSTM(3, stateful=True, return_sequences=True)
    whole = LSTM(3, return_sequences=True)
    layer.build(x.shape)
    whole.build(x.shape)
    whole.set_weights(layer.get_weights())
    halves = np.concatenate([layer(x[:, :2]), layer(x[:, 2:])], axis=1)
    np.testing.assert_allclose(halves, whole(x), atol=1e-6)
    layer.reset_state()
    np.testing.assert_allclose(layer(x), whole(x), atol=1e-6)
    with pytest.raises(ZooError, match="batch"):
        LSTM(3, stateful=True).build((None, None, 2))


def test_empty_time_axis():
    for case in helper.CASES:
        layer = case.make()
        empty = np.zeros((2, 0, helper.FEATURES), "float32")
        outputs, *state = layer(empty)
        assert outputs.shape == (2, 0, layer.output_size)
        assert all((s.numpy() == 0).all() for s in state)
    graph = tf.function(lambda x: LAYER(x), input_signature=[tf.TensorSpec((None, None, 3))])
    outputs, h, c = graph(np.zeros((2, 0, 3), "float32"))
    assert outputs.shape == (2, 0, 4)
    assert (h.numpy() == 0).all()
    assert (c.numpy() == 0).all()


LAYER = helper.CASES[5].make()


@pytest.mark.parametrize("merge_mode", ["concat", "sum"])
def test_bidirectional_matches_keras_and_ignores_padding(merge_mode):
    x = helper.inputs("float32")
    ours = Bidirectional(GRU(4, return_sequences=True), merge_mode=merge_mode)
    stock = keras.layers.Bidirectional(
        keras.layers.GRU(4, return_sequences=True), merge_mode=merge_mode
    )
    ours.build(x.shape)
    stock.build(x.shape)
    ours.set_weights(stock.get_weights())
    outputs = ours(x, mask=helper.MASK).numpy()
    np.testing.assert_allclose(outputs, stock(x, mask=helper.MASK), atol=1e-6)
    for n, length in enumerate(helper.LENGTHS[:3]):
        alone = ours(x[n : n + 1, :length]).numpy()
        np.testing.assert_allclose(outputs[n, :length], alone[0], atol=1e-6)


def test_model_with_every_layer_survives_saving(tmp_path):
    x = keras.Input((None, helper.FEATURES))
    layers = [case.make(return_state=False) for case in helper.CASES]
    outputs = [layer(x) for layer in layers]
    outputs.append(Bidirectional(LSTM(2, return_sequences=True))(x))
    model = keras.Model(x, keras.layers.Concatenate()(outputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    value = helper.inputs("float32")
    np.testing.assert_array_equal(model(value).numpy(), loaded(value).numpy())


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_numbers(backend, tmp_path):
    """And keeps the layers' promises; see tests/helpers/layers_on_backend.py."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: the layers are NOT tested on it here")
    x = helper.inputs("float32")
    made = [(case, case.make(return_state=False)) for case in helper.CASES]
    described = [(c.cell, helper.UNITS, c.arguments) for c, _ in made]
    given = {"x": x, "mask": helper.MASK, "cases": json.dumps(described)}
    for k, (_, layer) in enumerate(made):
        given |= {f"w{k}_{j}": w for j, w in enumerate(layer.get_weights())}
    np.savez(tmp_path / "in.npz", **given)
    files = [str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    subprocess.run(
        [sys.executable, "-m", "tests.helpers.layers_on_backend", *files],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    )
    results = np.load(files[1])
    for k, (_, layer) in enumerate(made):
        value = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(value)
            outputs = layer(value, mask=helper.MASK)
            loss = tf.reduce_sum(tf.sin(outputs))
        variables = [v.value for v in layer.trainable_variables]
        for j, want in enumerate([outputs, *tape.gradient(loss, [value, *variables])]):
            np.testing.assert_allclose(results[f"{k}_{j}"], want, atol=2e-6)
