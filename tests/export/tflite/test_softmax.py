"""The end of the signatures: the same softmax and the same best words as TensorFlow's own ops."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from export.tflite import softmax
from export.tflite.convert import convert
from export.tflite.exporter import new_interpreter
from export.tflite.ops import operators
from export.tflite.softmax import BLOCK, FEWEST_FOR_BLOCKS, TOP, top_of_blocks, top_words
from tests.helpers.models import language_model
from zoo.errors import ZooError
from zoo.text import EOS

SIZE = FEWEST_FOR_BLOCKS + 7  # the last block is not full


def numbers(kind: str) -> np.ndarray:
    draw = np.random.default_rng(3)
    values = draw.normal(size=(1, SIZE)).astype(np.float32)
    if kind == "ties":
        return np.round(values)
    if kind == "one block":
        values[0, BLOCK : BLOCK + 20] += 100
    if kind == "few are possible":
        values[0, 5:] = -np.inf
    if kind == "at the end":
        values[0, -12:] += 50
    return values


KINDS = ("plain", "ties", "one block", "few are possible", "at the end")


@pytest.mark.parametrize("kind", KINDS)
def test_best_blocks_hold_the_best_words(kind):
    values = tf.constant(numbers(kind))
    expected, places = tf.math.top_k(values, k=TOP)
    found, at = top_of_blocks(values)
    np.testing.assert_array_equal(found, np.maximum(expected, tf.float32.min))
    np.testing.assert_array_equal(at, places)


@pytest.fixture(scope="module")
def converted():
    """Softmax and best words of given logits, as a file."""

    def run(logits):
        log_probs = softmax.log_softmax(logits)
        return {"all": log_probs, **top_words(log_probs, first=EOS)}

    spec = tf.TensorSpec([1, SIZE], tf.float32, name="logits")
    content = convert([], {"run": tf.function(run).get_concrete_function(spec)})
    return content, new_interpreter(content).get_signature_runner("run")


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_file(converted, kind):
    """Also where words are impossible: padding is never offered."""
    logits = numbers(kind) * 30
    answer = converted[1](logits=logits)
    expected = tf.nn.log_softmax(logits).numpy()
    possible = expected > -1e30
    np.testing.assert_allclose(answer["all"][possible], expected[possible], atol=1e-4)
    best = np.argsort(-expected[0, EOS:], kind="stable")[:TOP] + EOS
    if kind == "ties":  # rounding may part what is equal
        np.testing.assert_allclose(answer["log_probs"], expected[:, best], atol=1e-4)
    else:
        np.testing.assert_array_equal(answer["ids"][0], best)


def test_the_slow_op_is_gone(converted):
    assert "LOG_SOFTMAX" not in operators(converted[0])


def test_models_are_as_before_after_tracing():
    model, other = language_model("lstm_tied"), language_model("cifg_projected")
    method = type(model).log_softmax
    with softmax.device_softmax(model, "int8"):
        assert "log_softmax" not in vars(model)
    with pytest.raises(ZooError):
        trace_and_fail(model, other, method)
    assert type(model).log_softmax is method
    assert "log_softmax" not in vars(model)


def trace_and_fail(model, other, method):
    with softmax.device_softmax(model, "dynamic"):
        assert vars(model)["log_softmax"].func is softmax.device_log_softmax
        assert "log_softmax" not in vars(other)
        assert type(model).log_softmax is method
        raise ZooError("no such trace")
