"""What the graph tells at load about signatures that can never share a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from serving.models import signatures
from serving.models.unbatchable import unbatchable


def found(function, *specs, defaults=None):
    """What is found about a signature, by a part of its name."""
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    build = tf.compat.v1.saved_model
    with concrete.graph.as_default():
        definition = build.build_signature_def(
            {f"x{i}": build.build_tensor_info(concrete.inputs[i]) for i in range(len(specs))},
            {f"y{i}": build.build_tensor_info(y) for i, y in enumerate(concrete.outputs)},
        )
    signature = signatures.from_definition("s", definition)
    signature = dataclasses.replace(signature, defaults=defaults or {})
    return {
        what.split()[1]: why
        for what, why in unbatchable({"s": signature}, concrete.graph.as_graph_def()).values()
    }


def spec(*shape, dtype=tf.float32):
    return tf.TensorSpec(shape, dtype)


def test_shapes_and_defaults():
    told = found(
        lambda a, b, c, d: (a + b, tf.reduce_sum(a), d),
        *(spec(None), spec(), spec(3), spec(None)),
        defaults={"x3": np.zeros(1, np.float32)},
    )
    assert told == {
        "x1": "it is a scalar",
        "x2": "its first dimension is always 3",
        "x3": "it has a default",
        "y1": "it is a scalar",
    }


@pytest.mark.parametrize(
    ("compute", "operation"),
    [
        (lambda x: tf.boolean_mask(x, x > 0.0), "Where"),
        (lambda x: tf.nn.relu(tf.unique(x * 2.0)[0]) + 1.0, "Unique"),
        (lambda x: tf.strings.lower(tf.strings.split(tf.as_string(x)).flat_values),
         "StringSplitV2"),
        (lambda x: tf.function(lambda z: tf.where(z > 0.0)[:, 0] * 2)(x), None),
        (tf.function(lambda x: tf.function(lambda z: tf.exp(tf.boolean_mask(z, z > 0.0)))(x)),
         "Where"),
        (lambda x: tf.gather(tf.unique(x)[0], tf.unique(x)[1]), None),
        (lambda x: tf.nn.softmax(x, axis=0), None),
    ],
)  # fmt: skip
def test_operations_that_make_as_many_rows_as_the_data_asks_for(compute, operation):
    told = found(lambda x: (compute(x), x), spec(None))
    assert told == (
        {"y0": f"its rows are those of a {operation}, not the request's"} if operation else {}
    )


def test_runs_that_change_the_model():
    counter = tf.Variable(0.0)

    def count(x):
        with tf.control_dependencies([counter.assign_add(1.0)]):
            return x + counter.read_value()

    assert found(count, spec(None)) == {
        "y0": "its run changes the model's state (AssignAddVariableOp)"
    }
    assert found(lambda: tf.constant(1.0)) == {}
