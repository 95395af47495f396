"""One run through everything that every recurrent layer promises; a layer is listed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.reference import cells
from zoo.layers import cell_stages, make_recurrent

BATCH, TIME, FEATURES, UNITS = 4, 5, 3, 4
LENGTHS = [5, 3, 1, 0]  # right padding, and a row of nothing but padding
MASK = np.arange(TIME)[None, :] < np.array(LENGTHS)[:, None]  # [batch, time]


@dataclass(frozen=True)
class LayerCase:
    """A layer under test: the cell's name, its arguments, and Keras's layer where there is one."""

    cell: str
    arguments: dict[str, Any] = field(default_factory=dict)
    keras_layer: type | None = None
    reference_arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        extra = (f"{k}_{v}" for k, v in self.arguments.items())
        return "-".join((self.cell, *extra))

    def make(self, **arguments: Any) -> Any:
        given = {"return_sequences": True, "return_state": True, **self.arguments, **arguments}
        layer = make_recurrent(self.cell, UNITS, **given)
        layer.build((None, None, FEATURES))
        rng = np.random.default_rng(3)
        layer.set_weights([rng.normal(0, 0.4, w.shape) for w in layer.get_weights()])
        return layer


CASES = (
    LayerCase("rnn", {"activation": "tanh"}, keras.layers.SimpleRNN),
    LayerCase("rnn", {"activation": "sigmoid"}, keras.layers.SimpleRNN, {"activation": "sigmoid"}),
    LayerCase("rnn", {"activation": "relu"}, keras.layers.SimpleRNN, {"activation": "relu"}),
    LayerCase("gru", {}, keras.layers.GRU),
    LayerCase("gru", {"use_bias": False}, keras.layers.GRU),
    LayerCase("lstm", {}, keras.layers.LSTM),
    LayerCase("lstm", {"use_bias": False}, keras.layers.LSTM),
    LayerCase("cifg", {}),
    LayerCase("cifg", {"projection_units": 2}),
)


def inputs(dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(5).normal(size=(BATCH, TIME, FEATURES)).astype(dtype)


def states(layer: Any, dtype: str = "float64") -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    return [rng.normal(size=(BATCH, size)).astype(dtype) for size in layer.state_size]


def arrays(tensors: Any) -> list[np.ndarray]:
    """On whichever backend."""
    return [keras.ops.convert_to_numpy(x) for x in tensors]


def parameters(layer: Any) -> cells.Parameters:
    weights = {w.name: np.asarray(w.numpy(), "float64") for w in layer.weights}
    bias, recurrent_bias = weights.get("bias"), None
    if bias is not None and bias.ndim == 2:
        bias, recurrent_bias = bias
    kernels = weights["kernel"], weights["recurrent_kernel"]
    return cells.Parameters(*kernels, bias, recurrent_bias, weights.get("projection_kernel"))


def value_and_gradients(
    layer: Any, x: Any, state: Any, mask: Any, d_y: Any, d_last: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Outputs, and gradients for x, the states and the weights, of Σ d·output."""
    x, state = tf.constant(x), [tf.constant(s) for s in state]
    with tf.GradientTape() as tape:
        tape.watch([x, *state])
        outputs = layer(x, initial_state=state, mask=mask)
        terms = zip(outputs, [d_y, *d_last], strict=True)
        loss = tf.add_n([tf.reduce_sum(o * tf.cast(d, o.dtype)) for o, d in terms])
    variables = [v.value for v in layer.trainable_variables]
    gradients = tape.gradient(loss, [x, *state, *variables])
    return [o.numpy() for o in outputs], [g.numpy() for g in gradients]


def _upstream(layer: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(8)
    d_y = rng.normal(size=(BATCH, TIME, layer.output_size))
    return d_y, [np.zeros((BATCH, size)) for size in layer.state_size]


def check_golden(case: LayerCase) -> None:
    """Outputs and every gradient equal the independent NumPy implementation, under a mask."""
    layer = case.make(dtype="float64")
    x, state = inputs(), states(layer)
    d_y, d_last = _upstream(layer)
    d_y *= MASK[..., None]
    outputs, gradients = value_and_gradients(layer, x, state, MASK, d_y, d_last)
    p = parameters(layer)

    def step(*args: Any) -> Any:
        return cells.STEPS[case.cell](*args, **case.reference_arguments)

    expected, last, d_x, d_state = cells.run(step, p, x, LENGTHS, state, d_y)
    np.testing.assert_allclose(outputs[0], expected, atol=1e-12)
    for got, want in zip(outputs[1:], last, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)
    count = 1 + len(state)
    for got, want in zip(gradients[:count], [d_x, *d_state], strict=True):
        np.testing.assert_allclose(got, want, atol=1e-10)
    want = p.gradients
    names = ["kernel", "recurrent", "bias", "projection"]
    flat = [want[n] for n in names if n in want]
    if "recurrent_bias" in want:
        flat[2] = np.stack([want["bias"], want["recurrent_bias"]])
    for got, value in zip(gradients[count:], flat, strict=True):
        np.testing.assert_allclose(got, value, atol=1e-10)


def check_finite_differences(case: LayerCase) -> None:
    """The gradient along a random direction equals a central difference, in float64."""
    layer = case.make(dtype="float64", go_backwards=True, learn_initial_state=True)
    x, mask = inputs(), np.random.default_rng(2).random((BATCH, TIME)) < 0.7
    weights = [np.random.default_rng(4).normal(0, 0.4, w.shape) for w in layer.get_weights()]
    direction = [np.random.default_rng(9).normal(size=w.shape) for w in weights]

    def loss(step: float) -> Any:
        layer.set_weights([w + step * d for w, d in zip(weights, direction, strict=True)])
        with tf.GradientTape() as tape:
            value = tf.add_n([tf.reduce_sum(tf.sin(o)) for o in layer(x, mask=mask)])
        gradients = tape.gradient(value, [v.value for v in layer.trainable_variables])
        return float(value), gradients

    _, gradients = loss(0.0)
    slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(gradients, direction, strict=True))
    difference = (loss(1e-6)[0] - loss(-1e-6)[0]) / 2e-6
    assert abs(slope - difference) < 1e-6 * max(1, abs(slope))


def check_weight_exchange(case: LayerCase) -> None:
    """Weights move both ways between the layer and Keras's, with equal outputs."""
    if case.keras_layer is None:
        return
    ours = case.make()
    arguments = {"return_sequences": True, "return_state": True, **case.arguments}
    stock = case.keras_layer(UNITS, **arguments)
    stock.build((None, None, FEATURES))
    names = [w.name for w in stock.weights]
    assert names == [w.name for w in ours.weights]
    x = inputs("float32")
    stock.set_weights(ours.get_weights())
    first = [*zip(arrays(ours(x)), arrays(stock(x)), strict=True)]
    stock.set_weights([w + 0.1 for w in stock.get_weights()])
    ours.set_weights(stock.get_weights())
    second = [*zip(arrays(ours(x)), arrays(stock(x)), strict=True)]
    for a, b in first + second:
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert not np.allclose(first[0][0], second[0][0])


def check_steps(case: LayerCase) -> None:
    """Step by step with the state in hand gives the whole sequence's outputs."""
    layer = case.make()
    x = inputs("float32")
    whole = arrays(layer(x))[0]
    state = layer.get_initial_state(BATCH)
    for t in range(TIME):
        h, state = layer.step(x[:, t], state)
        np.testing.assert_allclose(arrays([h])[0], whole[:, t], atol=1e-6)


def check_stages(case: LayerCase) -> None:
    """What the step saves is as many stages as it names; h is the output, the rest the states."""
    layer = case.make(go_backwards=True)
    x, state = inputs("float32"), states(layer, "float32")
    outputs, *last = arrays(layer(x, initial_state=state))
    stages = {name: arrays([s])[0] for name, s in cell_stages(layer, x, state).items()}
    assert list(stages) == [*layer.stage_names, *reversed(layer.state_names)]
    np.testing.assert_allclose(stages["h"][:, ::-1], outputs, atol=1e-6)
    for name, value in zip(layer.state_names, last, strict=True):
        np.testing.assert_allclose(stages[name][:, 0], value, atol=1e-6)


def check_mixed_precision(case: LayerCase) -> None:
    """bfloat16 computation on float32 weights stays near the float32 result."""
    exact, mixed = case.make(), case.make(dtype="mixed_bfloat16")
    x = inputs("float32")
    with tf.GradientTape() as tape:
        outputs = mixed(x, mask=MASK)[0]
        loss = tf.reduce_sum(tf.cast(outputs, "float32"))
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(outputs, "float32").numpy(), exact(x, mask=MASK)[0].numpy(), atol=0.1
    )
    variables = [v.value for v in mixed.trainable_variables]
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert gradient.dtype == variable.dtype == tf.float32
        assert np.isfinite(gradient.numpy()).all()


def check_config(case: LayerCase) -> None:
    """A layer made from the layer's config is the same layer."""
    layer = case.make(go_backwards=True, dropout=0.1, weight_drop=0.2, seed=3)
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    copy.build((None, None, FEATURES))
    copy.set_weights(layer.get_weights())
    x = inputs("float32")
    np.testing.assert_array_equal(arrays(copy(x))[0], arrays(layer(x))[0])


def run_layer_test(case: LayerCase) -> None:
    """Every check that needs nothing but this process, for one layer."""
    check_golden(case)
    check_finite_differences(case)
    check_weight_exchange(case)
    check_steps(case)
    check_stages(case)
    check_mixed_precision(case)
    check_config(case)
