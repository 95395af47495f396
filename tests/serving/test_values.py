"""Tensors on the wire, numbers in JSON, metrics: the pieces by themselves."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.codec import tensors, wire
from serving.errors import Code, ServingError, from_exception, truncated
from serving.monitoring.metrics import Metrics
from serving.rest import json_output, json_values

NUMBERS = [
    np.float32, np.float64, np.float16, np.int8, np.uint8, np.int16, np.uint16, np.int32,
    np.uint32, np.int64, np.uint64, np.bool_, np.complex64, np.complex128,
]  # fmt: skip
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)


@st.composite
def numeric_arrays(draw):
    return draw(arrays.arrays(draw(st.sampled_from(NUMBERS)), draw(SHAPES)))


@given(numeric_arrays(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_numbers_go_to_the_wire_and_back(array, as_content):
    proto = tensor_pb2.TensorProto.FromString(tensors.encode(array, as_content))
    np.testing.assert_array_equal(tensors.decode(proto, "x"), array)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)


@given(st.lists(st.binary(max_size=200), max_size=8), st.booleans())
@settings(max_examples=60, deadline=None)
def test_strings_go_to_the_wire_and_back(values, as_content):
    array = np.empty(len(values), object)
    array[:] = values
    proto = tensor_pb2.TensorProto.FromString(tensors.encode(array, as_content))
    assert tensors.decode(proto, "x").tolist() == values


@given(numeric_arrays())
@settings(max_examples=60, deadline=None)
def test_tensorflows_own_protos_are_read(array):
    np.testing.assert_array_equal(tensors.decode(tf.make_tensor_proto(array), "x"), array)


def test_long_arrays_are_read_from_the_wire():
    array = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
    proto = tensor_pb2.TensorProto(dtype=1, float_val=array.ravel())
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    np.testing.assert_array_equal(tensors.decode(proto, "x"), array)


NO_ARRAY_HAS = [[1] * 65, [0, 1 << 62, 1 << 62]]


@pytest.mark.parametrize("sizes", [[1 << 40], [-1], [1 << 31, 1 << 31], [1 << 28], *NO_ARRAY_HAS])
def test_shapes_that_would_eat_the_memory_are_refused(sizes):
    proto = tensor_pb2.TensorProto(dtype=1, float_val=[1.0])
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    with pytest.raises(ServingError, match="tensor parsing error: x"):
        tensors.decode(proto, "x")


def vector(dtype, **fields):
    """A TensorProto of one dimension with its values in any fields."""
    size = max(len(values) for values in fields.values())
    proto = tensor_pb2.TensorProto(dtype=dtype, **fields)
    proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("DT_UINT8", [0, 255], [256, -1, 2**31 - 1]),
        ("DT_INT8", [-128, 127], [300, 128, -129]),
        ("DT_INT16", [-32768, 32767], [70000, 32768, -32769]),
        ("DT_UINT16", [0, 65535], [65536, -1]),
        ("DT_HALF", [0, 65535], [65536, -1]),
        ("DT_BFLOAT16", [0, 65535], [65536, -1]),
    ],
)
def test_integers_that_do_not_fit_their_type_are_refused_by_value(name, good, bad):
    dtype = types_pb2.DataType.Value(name)
    field = tensors.KINDS[dtype][1]
    decoded = tensors.decode(vector(dtype, **{field: good}), "x")
    bits = decoded.view(np.uint16) if field == "half_val" else decoded
    assert bits.tolist() == good
    for value in bad:
        with pytest.raises(ServingError) as error:
            tensors.decode(vector(dtype, **{field: [1, value, 1]}), "x")
        assert error.value.code is Code.INVALID_ARGUMENT
        assert error.value.message == f"tensor parsing error: x: {value} does not fit {name}"


FIELDS = {field for _, field, _ in tensors.KINDS.values()}


@pytest.mark.parametrize("dtype", tensors.KINDS, ids=types_pb2.DataType.Name)
def test_values_in_another_types_field_are_not_zeros(dtype):
    own = tensors.KINDS[dtype][1]
    for other in FIELDS - {own}:
        values = [b"1", b"1"] if other == "string_val" else [1, 1]
        with pytest.raises(ServingError, match=f"has its values in {own}, this one in {other}"):
            tensors.decode(vector(dtype, **{other: values}), "x")


@given(st.integers(min_value=0, max_value=(1 << 64) - 1))
def test_varints(value):
    data = wire.varint(value)
    assert wire.read_varint(data, 0) == (value, len(data))


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_a_value_error(data):
    try:
        spans = list(wire.fields(data))
    except ValueError:
        return
    assert all(start <= end <= len(data) for _, _, start, end in spans)


@given(arrays.arrays(np.float32, st.integers(0, 20), elements=st.floats(width=32)))
@settings(max_examples=200, deadline=None)
def test_floats_read_back_exactly(array):
    texts = json_output.floats(array)
    np.testing.assert_array_equal(np.array([float(t) for t in texts], np.float32), array)
    assert all("." in t or "e" in t or "N" in t or "I" in t for t in texts)


@given(arrays.arrays(np.float64, st.integers(0, 20), elements=st.floats()))
@settings(max_examples=200, deadline=None)
def test_doubles_read_back_exactly(array):
    values = [float(text) for text in json_output.floats(array)]
    np.testing.assert_array_equal(np.array(values), array)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1e6, "1e+06"), (1234567.0, "1234567.0"), (-0.0, "-0.0"), (1e-7, "1e-07"),
     (1.17549435e-38, "1.17549435e-38"), (3.4028235e38, "3.40282347e+38")],
)  # fmt: skip
def test_float_texts(value, text):
    assert json_output.floats(np.float32([value])) == [text]


def test_answers_are_laid_out_as_the_original_does():
    rows = json_output.predictions({"a": np.float32([[1], [2]]), "b": np.int32([3, 4])})
    first = '        {\n            "a": [1.0],\n            "b": 3\n        }'
    second = '        {\n            "a": [2.0],\n            "b": 4\n        }'
    assert rows.decode() == f'{{\n    "predictions": [\n{first},\n{second}\n    ]\n}}'
    empty = json_output.predictions({"a": np.zeros((0, 2), np.float32)})
    assert json.loads(empty) == {"predictions": []}
    hollow = json_output.predictions({"a": np.zeros((2, 0, 3), np.float32)})
    assert json.loads(hollow) == {"predictions": [[], []]}
    with pytest.raises(ServingError, match="inconsistent batch size"):
        json_output.predictions({"a": np.zeros(2), "b": np.zeros(3)})


NESTED = st.recursive(
    st.floats(width=32, allow_nan=False, allow_infinity=False), st.lists, max_leaves=12
)


def depths(value):
    """Whether every path through nested lists is equally deep and every level equally long."""
    if not isinstance(value, list):
        return ()
    inner = {depths(item) for item in value}
    if len(inner) > 1 or None in inner:
        return None
    return (len(value), *next(iter(inner), ()))


@given(NESTED)
@settings(max_examples=100, deadline=None)
def test_nested_lists_are_arrays_or_refused(value):
    if depths(value) is None:
        with pytest.raises(ServingError) as error:
            json_values.checked_array(value, 1)
        assert error.value.code is Code.INVALID_ARGUMENT
    else:
        assert json_values.checked_array(value, 1).tolist() == value


def test_metrics_page():
    metrics = Metrics()
    metrics.request_count.add('a"b', "OK")
    metrics.request_latency.observe(25, "m", "Predict", "GRPC")
    page = metrics.page()
    assert ':tensorflow:serving:request_count{model_name="a\\"b",status="OK"} 1' in page
    labels = 'model_name="m",API="Predict",entrypoint="GRPC"'
    assert f':tensorflow:serving:request_latency_bucket{{{labels},le="18"}} 0' in page
    assert f':tensorflow:serving:request_latency_bucket{{{labels},le="+Inf"}} 1' in page
    assert f":tensorflow:serving:request_latency_sum{{{labels}}} 25" in page
    assert metrics.value("/tensorflow/serving/request_latency") == 1
    assert metrics.value("no such metric") == 0


def test_errors_of_any_origin():
    error = from_exception(tf.errors.UnavailableError(None, None, "full"))
    assert (error.code, error.message) == (Code.UNAVAILABLE, "full")
    assert from_exception(MemoryError()).code is Code.RESOURCE_EXHAUSTED
    assert str(from_exception(KeyError("k"))) == "INTERNAL: KeyError: 'k'"
    assert len(truncated("x" * 2000)) == 1024 + len("...TRUNCATED")
    assert math.isfinite(len(truncated("short")))
