"""Gradients of gradients: gradient penalties and learning to learn, as on Keras's layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.zoo.layers.recurrence.test_recurrence import STOCK
from zoo.layers import CELLS, make_recurrent

X = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0]], bool)


def pair(cell, **arguments):
    """Our layer and Keras's with the same weights; ours, run eagerly, where Keras has none."""
    ours = make_recurrent(cell, 3, **arguments)
    other = STOCK[cell](3, **arguments) if cell in STOCK else make_recurrent(cell, 3, **arguments)
    rng = np.random.default_rng(1)
    for layer in (ours, other):
        layer.build(X.shape)
    ours.set_weights([rng.normal(0, 0.5, w.shape) for w in ours.get_weights()])
    other.set_weights(ours.get_weights())
    return ours, other


def variables(layer):
    return [v.value for v in layer.trainable_variables]


def slope(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.sin(layer(x, mask=MASK, training=True)))
    return loss, tape.gradient(loss, x)


def penalty(layer):
    """∂/∂weights of J + |∂J/∂x|²."""

    def step(x):
        with tf.GradientTape() as tape:
            loss, d_x = slope(layer, x)
            loss += tf.reduce_sum(d_x**2)
        return tape.gradient(loss, variables(layer))

    return step


def in_a_graph(function, time=4, **options):
    signature = [tf.TensorSpec((3, time, 2))]
    return tf.function(function, input_signature=signature, **options)(tf.constant(X))


def assert_same(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_a_gradient_penalty_is_that_of_keras(cell):
    ours, other = pair(cell, return_sequences=True)
    want = in_a_graph(penalty(other), time=None)
    assert_same(in_a_graph(penalty(ours)), want)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_whether_eager_or_of_any_length_or_compiled(cell):
    ours, _ = pair(cell, go_backwards=True)
    want = penalty(ours)(tf.constant(X))
    assert_same(in_a_graph(penalty(ours), jit_compile=True), want)
    assert_same(in_a_graph(penalty(ours), time=None), want)


def test_a_graph_that_was_made_without_the_outer_tape():
    ours, other = pair("lstm")
    want = in_a_graph(penalty(other))
    compiled = tf.function(lambda x: slope(ours, x))
    compiled(tf.constant(X))
    with tf.GradientTape() as tape:
        loss, d_x = compiled(tf.constant(X))
        loss += tf.reduce_sum(d_x**2)
    assert_same(tape.gradient(loss, variables(ours)), want)


def test_third_derivatives():
    def third(layer):
        def step(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    _, d_x = slope(layer, x)
                    value = tf.reduce_sum(d_x**2)
                value = tf.reduce_sum(inner.gradient(value, x) ** 2)
            return [tape.gradient(value, x)]

        return step

    ours, other = pair("rnn")
    np.testing.assert_allclose(
        in_a_graph(third(ours))[0], in_a_graph(third(other))[0], rtol=1e-4, atol=1e-4
    )


def test_learning_to_learn():
    """The gradient of a loss after one step of learning, for the weights before it."""

    def meta(layer):
        def loss_of(values, x):
            weights = layer.trainable_variables
            with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
                return tf.reduce_sum(tf.sin(layer(x, training=True)))

        def step(x):
            start = [tf.identity(v) for v in variables(layer)]
            with tf.GradientTape() as outer:
                outer.watch(start)
                with tf.GradientTape() as inner:
                    inner.watch(start)
                    loss = loss_of(start, x)
                found = inner.gradient(loss, start)
                learnt = [w - 0.1 * d for w, d in zip(start, found, strict=True)]
                loss = loss_of(learnt, x[::-1])
            return outer.gradient(loss, start)

        return step

    ours, other = pair("lstm")
    assert_same(in_a_graph(meta(ours)), in_a_graph(meta(other)))


class Penalised(keras.Sequential):
    """A model whose loss asks for a flat answer."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(x)
                out = self(x, training=True)
                loss = self.compute_loss(x=x, y=y, y_pred=out)
            loss += tf.reduce_sum(inner.gradient(loss, x) ** 2)
        found = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(found, self.trainable_variables)
        return {"loss": loss}


def test_a_model_that_is_trained_with_a_penalty():
    """As Keras compiles it by default: ours by XLA."""
    learnt = []
    for layer in pair("lstm"):
        model = Penalised([keras.Input((4, 2)), layer])
        model.compile("sgd", "mse")
        model.fit(X, np.ones((3, 3)), batch_size=3, epochs=2, verbose=0)
        learnt.append(model.get_weights())
    assert_same(*learnt)


def test_forward_over_reverse():
    ours, other = pair("rnn", return_sequences=True)

    def step(layer):
        x = tf.constant(X)
        with tf.autodiff.ForwardAccumulator(x, tf.cos(x)) as accumulator:
            _, d_x = slope(layer, x)
        return [accumulator.jvp(d_x)]

    assert_same(step(ours), step(other))
