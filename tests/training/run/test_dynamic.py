"""Dynamic evaluation: the paper's update in NumPy, segment by segment, and nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.corpus import english
from tests.helpers.models import recurrent
from training.datasets import Corpus
from training.run import dynamic
from training.run.dynamic import Dynamics, dynamic_nats, dynamic_rows, root_mean_squares
from training.tasks.batches import encode_stream, stream_batches
from zoo.errors import ZooError

DYNAMICS = Dynamics(rate=0.03, decay=0.2, segment=6)


@pytest.fixture(scope="module")
def model():
    quick = {"jit_compile": False}  # or each of these few steps is compiled by XLA
    return recurrent(num_layers=1, tied=True, word_scale=0.5, cell_options=quick)


def stream_of(model, sentences):
    return encode_stream([model.tokenizer.encode(text) for text in sentences])


def loss_and_gradients(model, batch, state):
    """Mean nats of a segment and their gradients, by TensorFlow's own tape."""
    with tf.GradientTape() as tape:
        hidden, state = model.features(batch["inputs"], state)
        logits = tf.cast(model.output_projection(hidden), tf.float32)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(batch["targets"], logits)
        )
    variables = [v.value for v in model.trainable_weights]
    gradients = [tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, variables)]
    return float(loss), gradients, state


def test_each_segment_is_scored_and_then_learnt_from_as_the_paper_has_it(model):
    stream = stream_of(model, english(4))[: 4 * DYNAMICS.segment]
    rng = np.random.default_rng(0)
    trained = [w.numpy() for w in model.trainable_weights]
    squares = [rng.random(w.shape).astype("float32") for w in trained]
    mean = np.concatenate([r.ravel() for r in squares]).mean()
    nats, state, theta = 0.0, model.initial_state(1), trained
    for batch in stream_batches(stream, 1, DYNAMICS.segment):
        loss, gradients, state = loss_and_gradients(model, batch, state)
        nats += loss * batch["targets"].size
        theta = [
            w - DYNAMICS.rate * g / (r + dynamic.EPSILON)
            + np.minimum(DYNAMICS.decay * r / mean, 1) * (start - w)
            for w, g, r, start in zip(theta, gradients, squares, trained, strict=True)
        ]  # fmt: skip
        for variable, value in zip(model.trainable_weights, theta, strict=True):
            variable.assign(value)
    for variable, value in zip(model.trainable_weights, trained, strict=True):
        variable.assign(value)
    assert dynamic_nats(model, stream, squares, DYNAMICS) == pytest.approx(nats, rel=1e-4)
    for variable, value in zip(model.trainable_weights, trained, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_the_statistics_are_the_gradients_mean_squares(model, monkeypatch):
    monkeypatch.setattr(dynamic, "STATISTICS_BATCH", 1)
    stream, state, sums, steps = stream_of(model, english(2))[:12], model.initial_state(1), 0.0, 0
    for batch in stream_batches(stream, 1, 6):
        _, gradients, state = loss_and_gradients(model, batch, state)
        sums, steps = sums + gradients[0] ** 2, steps + 1
    found = root_mean_squares(model, stream, 6)[0]
    np.testing.assert_allclose(found, np.sqrt(sums / steps), atol=1e-6)


def test_a_text_that_repeats_itself_is_learnt(model, monkeypatch):
    ones = [np.ones(w.shape, "float32") for w in model.trainable_weights]
    monkeypatch.setattr(dynamic, "root_mean_squares", lambda *_: ones)
    text = english(3) * 6
    corpus = Corpus("toy", text, text, text, is_stream=True)
    (row,) = dynamic_rows(model, corpus, "test", Dynamics(0.5, 0.01, 6))
    log_probs, _ = model.continued_log_probs(*_whole(stream_of(model, text)))
    assert row["value"] < 0.9 * np.exp(-log_probs.mean())
    assert "each 6 words (rate 0.5, decay 0.01)" in row["signature"]


def test_the_best_of_the_grid_is_chosen_on_validation_text(model, monkeypatch):
    scored = []

    def nats(model, stream, squares, dynamics):
        scored.append(len(stream))
        return abs(dynamics.rate - 1e-3) + abs(dynamics.decay - 0.02)

    monkeypatch.setattr(dynamic, "dynamic_nats", nats)
    corpus = Corpus("toy", ["no"], english(2), ["no"], is_stream=True)
    assert dynamic.tuned(model, corpus, []) == Dynamics(1e-3, 0.02)
    assert set(scored) == {len(stream_of(model, english(2)))}


def _whole(stream):
    (batch,) = stream_batches(stream, 1, 10_000)
    return batch["inputs"], batch["targets"]


def test_sentences_by_themselves_are_not_learnt_from(model):
    corpus = Corpus("toy", ["a"], ["a"], ["a"])
    with pytest.raises(ZooError, match="running text"):
        next(dynamic_rows(model, corpus, "test", DYNAMICS))
