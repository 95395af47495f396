"""Slimmer files: nothing twice, weights where every processor can read them, the same answers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.tflite.exporter import new_interpreter
from export.tflite.ops import operators, refuse_other_ops
from export.tflite.slim import ALIGNMENT, SMALLEST_BIAS, slim
from zoo.errors import ZooError

WORDS = SMALLEST_BIAS + 1


@pytest.fixture(scope="module")
def content():
    """Two signatures of the same layer, as the converter leaves them."""
    draw = np.random.default_rng(1)
    module = tf.Module()
    module.kernel = tf.Variable(draw.normal(size=(8, WORDS)).astype(np.float32))
    module.bias = tf.Variable(draw.normal(size=WORDS).astype(np.float32))
    module.kept = tf.Variable(draw.normal(size=WORDS).astype(np.float32))

    def layer(x):
        return {"y": tf.matmul(x, module.kernel) + module.bias}

    def rectified(x):
        return {"y": tf.nn.relu(tf.matmul(x, module.kernel) + module.kept)}

    spec = tf.TensorSpec([1, 8], tf.float32, name="x")
    functions = {
        "layer": tf.function(layer).get_concrete_function(spec),
        "rectified": tf.function(rectified).get_concrete_function(spec),
    }
    concrete = list(functions.values())
    converter = tf.lite.TFLiteConverter.from_concrete_functions(concrete, module)
    return converter.convert()


def answers(content):
    interpreter = new_interpreter(content)
    x = np.linspace(-1, 1, 8, dtype=np.float32)[None]
    names = interpreter.get_signature_list() or {"": None}
    return {name: interpreter.get_signature_runner(name or None)(x=x) for name in names}


def test_halved_biases(content):
    """A product, an ADD and a DEQUANTIZE; where an activation is fused the bias stays."""
    before, after = slim(content), slim(content, half_biases=True)
    assert len(before) - len(after) > 2 * WORDS - 2_000
    assert {"ADD", "DEQUANTIZE"} <= set(operators(after))
    assert "DEQUANTIZE" not in operators(before)
    for name, expected in answers(before).items():
        np.testing.assert_allclose(answers(after)[name]["y"], expected["y"], atol=2e-3)


def test_weights_are_aligned_and_stored_once(content):
    slimmed = slim(content)
    model = schema.Model.GetRootAs(slimmed, 0)
    sizes = []
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            table = buffer._tab
            assert table.Vector(table.Offset(4)) % ALIGNMENT == 0
            sizes.append(buffer.DataLength())
    assert sorted(sizes)[-3:] == [4 * WORDS, 4 * WORDS, 4 * 8 * WORDS]
    assert len(slim(slimmed)) == len(slimmed)


def test_ops_that_are_not_built_in_are_refused():
    spec = tf.TensorSpec([2], tf.float32)
    function = tf.function(lambda x: tf.math.betainc(x, x, x)).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.allow_custom_ops = True
    content = converter.convert()
    with pytest.raises(ZooError, match="CUSTOM:Betainc, which is no built-in op"):
        refuse_other_ops(content)
