"""The hand-derived gradient against Keras's plain loops: random sizes, masks, directions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.layers import CELLS, make_recurrent
from zoo.layers.recurrence import xla

STOCK = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}

problems = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(sorted(STOCK)),
        "sizes": st.tuples(*[st.integers(1, 5)] * 4),
        "masked": st.booleans(),
        "backwards": st.booleans(),
        "zero_output": st.booleans(),
        "seed": st.integers(0, 2**16),
    }
)


def gradients(layer, x, state, mask, weights, compiled):
    def run(x, state):
        with tf.GradientTape() as tape:
            tape.watch([x, state])
            outputs = layer(x, initial_state=state, mask=mask)
            loss = tf.add_n([tf.reduce_sum(w * o) for w, o in zip(weights, outputs, strict=True)])
        variables = [v.value for v in layer.trainable_variables]
        return list(outputs), tape.gradient(loss, [x, *state, *variables])

    run = tf.function(run) if compiled else run
    outputs, grads = run(tf.constant(x), [tf.constant(s) for s in state])
    return [o.numpy() for o in outputs], [g.numpy() for g in grads]


def compare(problem, compiled):
    rng = np.random.default_rng(problem["seed"])
    batch, time, features, units = problem["sizes"]
    arguments = {
        "return_sequences": True,
        "return_state": True,
        "go_backwards": problem["backwards"],
        "zero_output_for_mask": problem["zero_output"],
    }
    ours = make_recurrent(problem["cell"], units, **arguments)
    stock = STOCK[problem["cell"]](units, **arguments)
    for layer in (ours, stock):
        layer.build((batch, time, features))
    values = [rng.normal(0, 0.5, w.shape) for w in stock.get_weights()]
    ours.set_weights(values)
    stock.set_weights(values)

    def normal(*shape):
        return rng.normal(size=shape).astype("float32")

    x, state = normal(batch, time, features), [normal(batch, units) for _ in ours.state_size]
    mask = rng.random((batch, time)) < 0.6 if problem["masked"] else None
    weights = [normal(batch, time, units), *(normal(batch, units) for _ in state)]
    got = gradients(ours, x, state, mask, weights, compiled)
    want = gradients(stock, x, state, mask, weights, False)
    for a, b in zip(got[0], want[0], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(got[1], want[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problems)
def test_gradient_by_hand(problem):
    compare(problem, compiled=False)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(problems)
def test_gradient_compiled(problem):
    compare(problem, compiled=True)


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_training_step_is_traced_once_and_uses_the_hand_derived_gradient(cell):
    layer = make_recurrent(cell, 3, return_sequences=True)
    layer.build((2, 4, 3))
    traces = []

    @tf.function
    def step(x):
        traces.append(1)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True))
        return tape.gradient(loss, [v.value for v in layer.trainable_variables])

    for _ in range(3):
        step(tf.random.normal((2, 4, 3)))
    assert len(traces) == 1
    library = step.get_concrete_function(tf.TensorSpec((2, 4, 3))).graph.as_graph_def().library
    assert sum(f.attr["_XlaMustCompile"].b for f in library.function) >= 3


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_parts_of_a_batch_side_by_side_change_nothing(cell, monkeypatch):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    layer = make_recurrent(cell, 4, return_sequences=True, return_state=True, go_backwards=True)
    layer.build((7, 5, 3))
    x, mask = rng.normal(size=(7, 5, 3)).astype("float32"), rng.random((7, 5)) < 0.6
    state = [rng.normal(size=(7, size)).astype("float32") for size in layer.state_size]
    weights = [rng.normal(size=o.shape).astype("float32") for o in layer(x, initial_state=state)]
    whole = gradients(layer, x, state, mask, weights, compiled=True)
    monkeypatch.setattr(xla, "ROWS_PER_PART", 2)
    monkeypatch.setattr(xla, "_cores", lambda: 3)
    assert xla.part_sizes(7) == [2, 2, 3]
    parts = gradients(layer, x, state, mask, weights, compiled=True)
    for a, b in zip(keras.tree.flatten(parts), keras.tree.flatten(whole), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_batch_is_cut_where_every_core_gets_enough_rows(monkeypatch):
    monkeypatch.setattr(xla, "_cores", lambda: 4)
    assert xla.part_sizes(None) == [-1]
    assert xla.part_sizes(3) == [3]
    assert xla.part_sizes(20) == [10, 10]
    assert xla.part_sizes(64) == [16, 16, 16, 16]
