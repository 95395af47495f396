"""The callback tells vanishing from healthy from exploding, and stops at the first NaN."""

from __future__ import annotations

import logging
import time
from typing import Any

import keras
import numpy as np
import pytest

from training.diagnostics.flow import GradientFlow, clipped_share, measure, verdict
from training.run.optimizers import SGD, AdamW, OnePassAdam
from zoo import layers
from zoo.errors import ZooError
from zoo.layers.recording import recorded_calls

X = np.random.default_rng(0).normal(size=(8, 24, 3)).astype("float32")


def network(layer: Any) -> Any:
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    model(X)
    return model


def line_for(layer: Any) -> str | None:
    model = network(layer)
    (flow,) = measure(model, lambda: model(X))
    return verdict(flow)


def recurrent_matrix(scale: float) -> Any:
    return lambda shape, dtype=None: scale * np.eye(*shape, dtype="float32")


def test_healthy_gradients_are_left_in_peace() -> None:
    options = {"activation": "relu", "recurrent_initializer": "identity"}
    assert line_for(layers.SimpleRNN(16, **options)) is None
    assert line_for(layers.LSTM(16, bias_initializer=keras.initializers.Constant(1.0))) is None


def test_vanishing_gradients_are_named_with_a_cure() -> None:
    line = line_for(layers.SimpleRNN(16, activation="sigmoid", name="first"))
    assert line is not None
    assert line.startswith("first: gradients vanish, words ")
    assert "GRU or LSTM" in line
    assert "identity" in line


def test_exploding_gradients_are_named_with_a_cure() -> None:
    layer = layers.SimpleRNN(4, "linear", recurrent_initializer=recurrent_matrix(2.0), name="wild")
    line = line_for(layer)
    assert line is not None
    assert line.startswith("wild: gradients explode, 1000 times larger 10 steps back")
    assert "Algorithm 1" in line


def test_a_layer_of_nans_is_named() -> None:
    model = network(layers.LSTM(4, name="broken"))
    model.layers[0].recurrent_kernel.assign(np.full((4, 16), np.nan))
    line = verdict(measure(model, lambda: model(X))[0])
    assert line is not None
    assert line.startswith("broken: gradients are NaN")


def test_only_the_layers_of_the_model_are_recorded_and_left_as_they_were() -> None:
    model, other = network(layers.GRU(4)), network(layers.LSTM(4))
    calls, _ = recorded_calls(model, lambda: (other(X), model(X), model(X)))
    assert [call.layer for call in calls] == [model.layers[0]]
    np.testing.assert_array_equal(calls[0].inputs, X)
    assert "call" not in vars(model.layers[0])


def test_callback_measures_at_its_interval_and_warns_once(tmp_path: Any, caplog: Any) -> None:
    import tensorflow as tf

    model = network(layers.SimpleRNN(8, activation="sigmoid", return_sequences=True, name="s"))
    model.compile(SGD(0.01, global_clipnorm=1e-4), "mse")
    writer = tf.summary.create_file_writer(str(tmp_path))
    flow = GradientFlow(lambda: model(X), writer, every=2)
    with caplog.at_level(logging.WARNING, "zoo.gradients"):
        model.fit(X, X[..., :1], batch_size=2, epochs=2, verbose=0, callbacks=[flow])
    assert len(flow.warnings) == len(caplog.records) == 1
    assert "step 2: s: gradients vanish" in caplog.text
    tags = scalar_tags(tmp_path)
    assert {"gradient_flow/s/norm_10_back", "gradient_flow/s/far_share"} <= tags
    assert "gradient_flow/clipped_share" in tags
    assert clipped_share(model.optimizer) == 1.0


def scalar_tags(folder: Any) -> set[str]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return set(events.Tags()["tensors"])


def test_callback_stops_at_the_first_nan() -> None:
    model = network(layers.SimpleRNN(4, "linear", recurrent_initializer=recurrent_matrix(3.0)))
    model.compile(keras.optimizers.SGD(1e6), "mse")
    flow = GradientFlow(lambda: model(X), every=1000)
    with pytest.raises(ZooError, match=r"the loss became .*Algorithm 1"):
        model.fit(X, X[:, -1, :1], batch_size=8, epochs=20, verbose=0, callbacks=[flow])
    assert int(model.optimizer.iterations) < 20


@pytest.mark.parametrize("optimizer", [OnePassAdam, AdamW, SGD])
def test_counting_changes_no_number(optimizer: Any) -> None:
    """The same steps as Keras's own optimizer of the same settings."""
    results = []
    for cls in (optimizer, optimizer.__mro__[2]):
        keras.utils.set_random_seed(3)
        model = network(layers.GRU(4))
        model.compile(cls(0.05, global_clipnorm=0.5), "mse")
        model.fit(X, X[:, -1, :1], batch_size=4, epochs=3, verbose=0, shuffle=False)
        results.append(model.get_weights())
    for ours, stock in zip(*results, strict=True):
        np.testing.assert_allclose(ours, stock, atol=1e-5)


def test_clipping_by_value_is_counted_too() -> None:
    model = network(layers.GRU(4))
    model.compile(SGD(0.01, clipvalue=1e-7), "mse")
    model.train_on_batch(X, X[:, -1, :1])
    assert clipped_share(model.optimizer) == 1.0
    model = network(layers.GRU(4))
    model.compile(SGD(0.01), "mse")
    model.train_on_batch(X, X[:, -1, :1])
    assert clipped_share(model.optimizer) == 0.0
    assert clipped_share(keras.optimizers.SGD()) is None


def test_a_look_is_cheap() -> None:
    """At the default of one look in 1,000 steps, one look may cost 30 steps of training."""
    model = network(layers.LSTM(64))
    model.compile(SGD(0.01), "mse")
    y = X[:, -1, :1]
    model.train_on_batch(X, y)
    measure(model, lambda: model(X))
    started = time.process_time()
    for _ in range(20):
        model.train_on_batch(X, y)
    step = (time.process_time() - started) / 20
    looks = []
    for _ in range(3):
        started = time.process_time()
        measure(model, lambda: model(X))
        looks.append(time.process_time() - started)
    assert min(looks) < 30 * max(step, 0.02)
