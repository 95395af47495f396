"""The gradient diagnostics against brute-force automatic differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from training.diagnostics import gradients as g
from zoo import layers
from zoo.errors import ZooError

UNITS, STEPS, ROWS, FEATURES = 5, 7, 2, 3
KINDS: dict[str, Any] = {
    "sigmoid": lambda: layers.SimpleRNN(UNITS, activation="sigmoid", return_sequences=True),
    "tanh": lambda: layers.SimpleRNN(UNITS, return_sequences=True),
    "relu": lambda: layers.SimpleRNN(UNITS, activation="relu", return_sequences=True),
    "gru": lambda: layers.GRU(UNITS, return_sequences=True),
    "lstm": lambda: layers.LSTM(UNITS, return_sequences=True),
    "cifg": lambda: layers.CIFG(UNITS, return_sequences=True),
    "projected": lambda: layers.CIFG(UNITS, projection_units=4, return_sequences=True),
    "backwards": lambda: layers.GRU(UNITS, return_sequences=True, go_backwards=True),
}


def prepared(kind: str, seed: int = 0, scale: float = 1.0) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(seed)
    layer = KINDS[kind]()
    layer.build((None, None, FEATURES))
    for weight in layer.weights:
        weight.assign(rng.normal(0, scale * 0.7, weight.shape).astype("float32"))
    return layer, rng.normal(size=(ROWS, STEPS, FEATURES)).astype("float32")


def brute_force_jacobian(layer: Any, inputs: np.ndarray, k: int, t: int) -> np.ndarray:
    """∂s_t/∂s_k of each row by running the layer from s_k with the tape on."""
    inputs = inputs[:, ::-1] if layer.go_backwards else inputs
    state = layer.get_initial_state(ROWS)
    for j in range(k + 1):
        _, state = layer.step(inputs[:, j], state)
    first = tf.concat(state, axis=1)
    with tf.GradientTape() as tape:
        tape.watch(first)
        current = tf.split(first, layer.state_size, axis=1)
        for j in range(k + 1, t + 1):
            _, current = layer.step(inputs[:, j], current)
        last = tf.concat(current, axis=1)
    return tape.batch_jacobian(last, first).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_jacobian_norms_are_brute_forces(kind: str) -> None:
    layer, inputs = prepared(kind)
    jacobians = g.step_jacobians(g.trajectory(layer, inputs))
    norms = g.jacobian_norms(jacobians)
    hidden = g.jacobian_norms(jacobians, hidden=layer.output_size)
    for t, k in [(0, 0), (3, 2), (6, 0), (5, 1)]:
        expected = brute_force_jacobian(layer, inputs, k, t)
        h = expected[:, : layer.output_size, : layer.output_size]
        np.testing.assert_allclose(norms[:, t, k], np.linalg.norm(expected, 2, (1, 2)), atol=1e-4)
        np.testing.assert_allclose(hidden[:, t, k], np.linalg.norm(h, 2, (1, 2)), atol=1e-4)
    assert np.isnan(norms[:, 2, 3]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0])
def test_norms_never_exceed_the_bound(kind: str, scale: float) -> None:
    for seed in range(5):
        layer, inputs = prepared(kind, seed, scale)
        jacobians = g.step_jacobians(g.trajectory(layer, inputs))
        bound, base = g.bounds(layer, jacobians)
        norms = g.jacobian_norms(jacobians)
        for t in range(STEPS):
            for k in range(t + 1):
                assert (norms[:, t, k] <= bound[t - k] * (1 + 1e-5) + 1e-12).all()
        if layer.gates == 1:
            slope = g.SLOPES[layer.activation.__name__]
            assert base == pytest.approx(g.largest_singular_value(layer) * slope)


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_sum_to_the_gradient(kind: str) -> None:
    """Σ over distances is ∂E/∂U, and the terms are those of truncated back-propagation."""
    layer, inputs = prepared(kind)
    rng = np.random.default_rng(1)
    d_outputs = rng.normal(size=(STEPS, ROWS, layer.output_size)).astype("float32")
    terms = g.contributions(g.trajectory(layer, inputs), d_outputs)
    with tf.GradientTape() as tape:
        outputs = layer(inputs)
        error = tf.reduce_sum(tf.transpose(outputs, (1, 0, 2)) * d_outputs)
    expected = tape.gradient(error, layer.recurrent_kernel.value).numpy()
    np.testing.assert_allclose(terms.sum(axis=0), expected, rtol=1e-4, atol=1e-4)
    assert (terms[-1] == 0).all()  # the first step starts from zeros: nothing at distance 6
    last = g.contributions(g.trajectory(layer, inputs), d_outputs, sources=[STEPS - 1])
    assert g.matrix_norms(last)[0] > 0


def test_contribution_of_distance_zero_is_the_immediate_gradient() -> None:
    """Distance 0 alone is what back-propagation cut after one step gives."""
    layer, inputs = prepared("tanh")
    d_outputs = np.ones((STEPS, ROWS, UNITS), "float32")
    terms = g.contributions(g.trajectory(layer, inputs), d_outputs)
    kernel = layer.recurrent_kernel.value
    expected = np.zeros(kernel.shape)
    state = layer.get_initial_state(ROWS)
    for t in range(STEPS):
        with tf.GradientTape() as tape:
            h, new = layer.step(inputs[:, t], state)
            error = tf.reduce_sum(h)
        expected += tape.gradient(error, kernel).numpy()
        state = [tf.constant(s) for s in new]
    np.testing.assert_allclose(terms[0], expected, rtol=1e-4, atol=1e-5)


def test_memory_length() -> None:
    assert g.memory_length(np.array([1.0, 0.5, 0.02, 0.009, 0.001])) == 3
    assert g.memory_length(np.array([1.0, 0.5, 0.2])) is None
    means = g.by_distance(np.array([[[1.0, np.nan], [0.5, 1.0]]]))
    np.testing.assert_allclose(means, [1.0, 0.5])


def test_a_form_without_derivative_is_refused() -> None:
    layer = layers.GRU(3, reset_after=False)
    layer.build((None, None, 2))
    with pytest.raises(ZooError, match="no derivative by hand"):
        g.trajectory(layer, np.zeros((1, 2, 2), "float32"))
    with pytest.raises(ZooError, match="has no weights yet"):
        g.trajectory(layers.LSTM(3), np.zeros((1, 2, 2), "float32"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_cheap_sweep_is_the_full_one(kind: str) -> None:
    layer, inputs = prepared(kind)
    path = g.trajectory(layer, inputs)
    d_last = np.random.default_rng(2).normal(size=(ROWS, layer.output_size)).astype("float32")
    d_outputs = np.zeros((STEPS, ROWS, layer.output_size), "float32")
    d_outputs[-1] = d_last
    reach, terms = g.norms_from_last(path, d_last)
    expected = g.matrix_norms(g.contributions(path, d_outputs))
    np.testing.assert_allclose(terms, expected, rtol=1e-3, atol=1e-5)
    assert reach[0] == pytest.approx(np.linalg.norm(d_last), rel=1e-5)
