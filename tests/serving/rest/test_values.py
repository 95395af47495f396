"""JSON values in and out, without a server: what fits a type, what is refused, strict JSON."""

from __future__ import annotations

import gzip
import json

import ml_dtypes
import numpy as np
import pytest
from tensorflow.core.framework import types_pb2

from serving.errors import Code, ServingError
from serving.models.signatures import TensorInfo
from serving.rest import json_body, json_input, json_output
from serving.rest.gzip_body import inflated
from serving.rest.routes import model_spec


def read(text, dtype):
    """The values of `{"inputs": text}` for an input of a type."""
    document = json_body.parse(b'{"inputs": ' + text.encode() + b"}")
    return json_input.predict_inputs(document, {"x": TensorInfo("x", "x:0", dtype, None)})[0]["x"]


def refusal(call, *args):
    """The message of an INVALID_ARGUMENT."""
    with pytest.raises(ServingError) as error:
        call(*args)
    assert error.value.code is Code.INVALID_ARGUMENT
    return error.value.message


def strictly(body):
    """JSON as a browser reads it."""
    return json.loads(body, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


INTEGERS = {
    types_pb2.DT_INT8: (-(2**7), 2**7 - 1),
    types_pb2.DT_UINT8: (0, 2**8 - 1),
    types_pb2.DT_INT16: (-(2**15), 2**15 - 1),
    types_pb2.DT_UINT16: (0, 2**16 - 1),
    types_pb2.DT_INT32: (-(2**31), 2**31 - 1),
    types_pb2.DT_UINT32: (0, 2**32 - 1),
    types_pb2.DT_INT64: (-(2**63), 2**63 - 1),
    types_pb2.DT_UINT64: (0, 2**64 - 1),
}


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_outside_their_type_are_refused_by_value(dtype):
    lowest, highest = INTEGERS[dtype]
    assert read(f"[{lowest}, {highest}]", dtype).tolist() == [lowest, highest]
    for value in (lowest - 1, highest + 1, 10 * highest):
        assert f"JSON Value: {value} Type: Number" in refusal(read, f"[0, {value}]", dtype)


@pytest.mark.parametrize(
    ("dtype", "texts"),
    [
        (types_pb2.DT_HALF, ["1.5", "0.1", "-65504.0", "2048", "6e-08", "NaN", "-Infinity"]),
        (types_pb2.DT_BFLOAT16, ["1.5", "0.1", "1e+30", "1000", "257.0", "NaN", "Infinity"]),
        (types_pb2.DT_UINT16, ["0", "65535"]),
    ],
)
def test_short_types_are_numbers_both_ways(dtype, texts):
    values = read("[" + ", ".join(texts) + "]", dtype)
    again = read(json.dumps(json.loads(json_output.outputs({"y": values}))["outputs"]), dtype)
    assert again.dtype == values.dtype
    np.testing.assert_array_equal(again.astype(np.float64), values.astype(np.float64))
    numbers = np.array([float(text) for text in texts])
    np.testing.assert_allclose(values.astype(np.float64), numbers, rtol=0.01)


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        (types_pb2.DT_HALF, "65520.0"),
        (types_pb2.DT_HALF, "2049"),
        (types_pb2.DT_HALF, "70000"),
        (types_pb2.DT_BFLOAT16, "257"),
        (types_pb2.DT_BFLOAT16, "3.4e38"),
        (types_pb2.DT_FLOAT, "16777217"),
    ],
)
def test_numbers_that_short_floats_cannot_hold(dtype, text):
    message = refusal(read, text, dtype)
    assert message.startswith(f"Cannot convert JSON value: {json.loads(text)} to ")


@pytest.mark.parametrize("text", ["1e999", "-1e999", "[[1.0], [2e400]]", "9" * 5000])
@pytest.mark.parametrize("dtype", [types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_BFLOAT16])
def test_numbers_too_large_for_a_double_are_not_infinity(text, dtype):
    assert "Number too big" in refusal(read, text, dtype)


@pytest.mark.parametrize("depth", [65, 70, 400, 900, 100_000])
@pytest.mark.parametrize("inner", ["1", "1, 2", ""])
def test_deep_lists_are_the_clients_fault(depth, inner):
    message = refusal(read, "[" * depth + inner + "]" * depth, types_pb2.DT_FLOAT)
    assert "nested too deeply" in message
    # Not a tensor at the second place.
    refusal(read, "[" + "[" * depth + inner + "]" * depth + ", 1]", types_pb2.DT_FLOAT)


def test_as_many_lists_as_numpy_has_dimensions():
    assert read("[" * 64 + "1" + "]" * 64, types_pb2.DT_FLOAT).shape == (1,) * 64


def test_a_version_of_many_digits():
    assert model_spec("m", "0" * 5000 + "12", None).version.value == 12
    assert refusal(model_spec, "m", "1" * 5000, None).startswith("Failed to convert version: 111")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"inputs": "caf\xe9"}', "offset: 15 (byte 0xe9 is not UTF-8"),
        (b'{"inputs": "\xed\xa0\x80"}', "is not UTF-8"),
        (b'\xff\xfe{"inputs": 1}', "offset: 0 "),
    ],
)
def test_bodies_are_utf_8(body, message):
    assert message in refusal(json_body.parse, body)


@pytest.mark.parametrize("text", ['"\\udcff"', '"\\ud800"', '["a", "\\udc80"]'])
def test_half_a_surrogate_pair_is_no_text(text):
    assert "surrogate pair" in refusal(read, text, types_pb2.DT_STRING)


def test_bytes_outside_utf_8_are_answered_in_base_64():
    values = np.array([b"caf\xe9", "café".encode(), b"", b"\xed\xa0\x80"], object)
    expected = [{"b64": "Y2Fm6Q=="}, "café", "", {"b64": "7aCA"}]
    assert strictly(json_output.outputs({"y": values})) == {"outputs": expected}
    assert strictly(json_output.predictions({"y": values})) == {"predictions": expected}


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_strict_json_has_null_and_the_largest_number(dtype):
    values = np.array([[-np.inf, 1.5], [np.inf, np.nan]], dtype)
    largest = float(ml_dtypes.finfo(dtype).max)
    for answer in (json_output.outputs, json_output.predictions):
        (rows,) = strictly(answer({"y": values}, strict=True)).values()
        assert rows[0][1:] + rows[1][1:] == [1.5, None]
        read_back = np.array([rows[0][0], rows[1][0]]).astype(dtype).astype(np.float64)
        assert read_back.tolist() == [-largest, largest]
    assert b"[-Infinity, 1.5], [Infinity, NaN" in json_output.predictions({"y": values})


def test_every_member_of_a_gzip_body_is_read():
    first, second = gzip.compress(b'{"instances": '), gzip.compress(b"[1]}")
    assert inflated(first + second) == b'{"instances": [1]}'
    assert inflated(first + second + b"\0" * 100) == b'{"instances": [1]}'
    assert refusal(inflated, first + second[:-1]) == "the gzip body is cut short"
    assert refusal(inflated, first + b"more").startswith("cannot inflate the gzip body")
    assert "more than 104857600 bytes" in refusal(inflated, gzip.compress(b" " * (50 << 20), 1) * 3)
