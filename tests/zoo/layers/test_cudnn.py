"""When cuDNN is called, with what, and when not; a GPU is stood in for."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.errors import ZooError
from zoo.layers import CIFG, GRU, LSTM, SimpleRNN, cudnn

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
MASK = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool)
STOCK = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A machine with a GPU, whose kernels are Keras's plain loop; what they were given."""
    given: list[dict[str, Any]] = []

    def kernel_of(name: str) -> Any:
        def kernel(inputs: Any, *state_and_mask: Any, **options: Any) -> tuple[Any, Any, Any]:
            *state, mask = state_and_mask
            given.append({"name": name, "mask": mask, **options})
            units = options["recurrent_kernel"].shape[0]
            layer = STOCK[name](units, return_sequences=True, return_state=True, use_cudnn=False)
            layer.build(inputs.shape)
            for variable, value in zip(layer.weights, (options[k] for k in (
                    "kernel", "recurrent_kernel", "bias")), strict=True):  # fmt: skip
                variable.assign(value)
            outputs, *final = layer(inputs, initial_state=list(state), mask=mask)
            return outputs[:, -1], outputs, final

        return kernel

    monkeypatch.setattr(cudnn.keras_backend, "lstm", kernel_of("lstm"))
    monkeypatch.setattr(cudnn.keras_backend, "gru", kernel_of("gru"))
    module = __import__(cudnn.keras_backend.cudnn_ok.__module__, fromlist=["_"])
    monkeypatch.setattr(module, "_is_gpu_available", lambda: True)
    return given


def recorded(layer: Any, **call: Any) -> list[np.ndarray]:
    with tf.GradientTape():
        found = layer(X, **call)
    return [part.numpy() for part in (found if isinstance(found, tuple | list) else [found])]


@pytest.mark.parametrize("kind", [LSTM, GRU])
@pytest.mark.parametrize("mask", [None, MASK])
def test_a_recorded_call_goes_to_cudnn_with_the_layers_weights(kind, mask, calls):
    layer = kind(5, return_state=True, return_sequences=mask is None, go_backwards=mask is None)
    by_cudnn = recorded(layer, mask=mask)
    assert [call["name"] for call in calls] == [kind.cudnn_function]
    same = kind.from_config({**layer.get_config(), "use_cudnn": False})
    same.build(X.shape)
    same.set_weights(layer.get_weights())
    for one, other in zip(by_cudnn, recorded(same, mask=mask), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert len(calls) == 1


def test_graphs_without_a_gradient_never_hold_it(calls):
    layer = LSTM(5)
    layer(X)
    tf.function(layer, autograph=False).get_concrete_function(tf.constant(X))
    assert calls == []


@pytest.mark.parametrize(
    "layer",
    [
        LSTM(5, use_cudnn=False),
        LSTM(5, activation="relu"),
        LSTM(5, use_bias=False),
        LSTM(5, unroll=True),
        GRU(5, reset_after=False),
        CIFG(5),
        SimpleRNN(5),
    ],
    ids=lambda layer: layer.name,
)
def test_what_cudnn_cannot_do_is_done_here(layer, calls):
    recorded(layer)
    assert calls == []


def test_dropout_inside_the_loop_is_done_here(calls):
    recorded(LSTM(5, recurrent_dropout=0.5), training=True)
    assert calls == []


def test_it_is_an_argument_as_in_keras():
    assert "use_cudnn" not in LSTM(5).get_config()  # nor in Keras's
    for value in (True, False):
        layer = GRU.from_config(GRU(5, use_cudnn=value).get_config())
        assert layer.use_cudnn is value
    with pytest.raises(ZooError, match="use_cudnn='yes': give 'auto', True or False"):
        LSTM(5, use_cudnn="yes")
    with pytest.raises(ZooError, match="cuDNN cannot run this layer"):
        LSTM(5, use_cudnn=True)(X)
