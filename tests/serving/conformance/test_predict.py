"""Predict over gRPC: values, model spec, filters, and every refusal."""

from __future__ import annotations

import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tests.serving.conformance.conftest import SIGNATURES, predict_request
from tests.serving.models import DTYPES, GRPC_ONLY, VERSION

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def test_a_tf1_model_answers_with_its_model_spec(target):
    answer = target.predict("half_plus_two", x=[2.0])
    assert list(answer.outputs["y"].float_val) == [3.0]
    assert answer.model_spec.name == "half_plus_two"
    assert answer.model_spec.signature_name == "serving_default"
    assert answer.model_spec.version.value == VERSION


def test_shapes_are_not_checked_against_the_signature(target):
    # The signature says [-1, 1]; a vector is accepted as the graph computes it.
    answer = target.predict("half_plus_two", x=[2.0, 4.0])
    assert [d.size for d in answer.outputs["y"].tensor_shape.dim] == [2]


def test_a_tf2_model_with_strings_tables_and_variables(target):
    answer = target.predict("text", "score", text=[b"the cat", b"", b"the dog is small"])
    assert list(answer.outputs["tokens"].int_val) == [3, 1, 5]
    assert list(answer.outputs["oov"].int_val) == [0, 0, 1]
    assert list(answer.outputs["log_prob"].float_val) == [-1.0, 0.0, -2.0]


def test_values_are_in_typed_fields_not_in_tensor_content(target):
    answer = target.predict("text", text=[b"the cat"])
    assert answer.outputs["words"].string_val == [b"THE", b"CAT"]
    assert not answer.outputs["probabilities"].tensor_content


@pytest.mark.parametrize("dtype", [*DTYPES, *GRPC_ONLY], ids=lambda d: d.name)
def test_every_data_type_comes_back(target, dtype):
    values = (
        [b"a", b"\xff\x00"] if dtype == tf.string else np.array([0, 1, 100], dtype.as_numpy_dtype)
    )
    sent = tf.make_tensor_proto(values, dtype)
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "types", dtype.name
    request.inputs["x"].CopyFrom(sent)
    got = target.predictions.Predict(request, timeout=20).outputs["y"]
    assert got.dtype == sent.dtype
    np.testing.assert_array_equal(tf.make_ndarray(got), tf.make_ndarray(sent))


def test_short_value_lists_repeat_the_last_value(target):
    request = predict_request("half_plus_two", x=[2.0])
    request.inputs["x"].tensor_shape.dim[0].size = 3
    answer = target.predictions.Predict(request, timeout=20)
    assert list(answer.outputs["y"].float_val) == [3.0, 3.0, 3.0]


def test_tensor_content_is_read(target):
    request = predict_request("half_plus_two", x=[])
    request.inputs["x"].tensor_content = np.float32([2, 4]).tobytes()
    request.inputs["x"].tensor_shape.dim[0].size = 2
    answer = target.predictions.Predict(request, timeout=20)
    assert list(answer.outputs["y"].float_val) == [3.0, 4.0]


def test_output_filter_chooses(target):
    request = predict_request("types", a=[3.0], b=[1.0])
    request.output_filter.append("sum")
    answer = target.predictions.Predict(request, timeout=20)
    assert dict(answer.outputs).keys() == {"sum"}


def test_version_and_unknown_version(target, refused):
    request = predict_request("half_plus_two", x=[2.0])
    request.model_spec.version.value = VERSION
    assert target.predictions.Predict(request, timeout=20).model_spec.version.value == VERSION
    request.model_spec.version.value = 7
    expected = "Servable not found for request: Specific(half_plus_two, 7)"
    assert refused(target.predictions.Predict, request) == (grpc.StatusCode.NOT_FOUND, expected)


def test_refused_model_specs(target, refused):
    code, details = refused(target.predictions.Predict, predict_pb2.PredictRequest())
    assert (code, details) == (INVALID, "Missing ModelSpec")
    code, details = refused(target.predict, "")
    assert (code, details) == (INVALID, "ModelSpec has no name specified.")
    code, details = refused(target.predict, "nobody")
    assert code == grpc.StatusCode.NOT_FOUND
    assert details == "Servable not found for request: Latest(nobody)"
    request = predict_request("half_plus_two", x=[2.0])
    request.model_spec.version_label = "canary"
    code, details = refused(target.predictions.Predict, request)
    assert (code, details) == (INVALID, "Unrecognized servable version label: canary")


def test_unknown_signature(target, refused):
    code, details = refused(target.predict, "half_plus_two", "nothing", x=[1.0])
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    text = 'Serving signature key "nothing" not found.'
    assert details == target.missing(text, *SIGNATURES)


def test_wrong_number_of_inputs(target, refused):
    code, details = refused(target.predict, "half_plus_two")
    assert code == INVALID
    assert details.startswith(
        "input size does not match signature: 0!=1 len({}) != len({x}). "
        "Sent extra: {}. Missing but required: {x}."
    )
    code, details = refused(target.predict, "half_plus_two", x=[1.0], z=[1.0])
    assert code == INVALID
    assert "Sent extra: {z}. Missing but required: {}." in details


def test_wrong_input_name(target, refused):
    code, details = refused(target.predict, "half_plus_two", z=[1.0])
    assert code == INVALID
    assert details.startswith("Signature input alias: x(feed name: x:0) not found in request")


def test_wrong_type_of_input(target, refused):
    code, details = refused(target.predict, "half_plus_two", x=[b"two"])
    assert code == INVALID
    assert "to be float but string is provided" in details


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: setattr(t, "dtype", 0),
        lambda t: setattr(t.tensor_shape.dim[0], "size", -5),
        lambda t: setattr(t, "tensor_content", b"123"),
        lambda t: setattr(t.tensor_shape, "unknown_rank", True),
    ],
)
def test_broken_tensors(target, refused, spoil):
    request = predict_request("half_plus_two", x=[1.0])
    spoil(request.inputs["x"])
    assert refused(target.predictions.Predict, request) == (INVALID, "tensor parsing error: x")


def test_unknown_and_repeated_outputs(target, refused):
    request = predict_request("half_plus_two", x=[1.0])
    request.output_filter.append("w")
    code, details = refused(target.predictions.Predict, request)
    assert code == INVALID
    assert details == (
        "output tensor alias not found in signature: w Outputs expected to be in the set {y}."
    )
    request.output_filter[:] = ["y", "y"]
    code, details = refused(target.predictions.Predict, request)
    assert (code, details) == (INVALID, "duplicate output tensor alias: y")


def test_an_error_inside_the_model_is_the_clients(target, refused):
    code, _ = refused(target.predict, "types", a=[1.0, 2.0], b=[1.0, 2.0, 3.0])
    assert code == INVALID


def test_a_deadline_is_kept(target, refused):
    request = predict_request("loop", steps=[2_000_000_000])
    start = time.monotonic()
    code, _ = refused(target.predictions.Predict, request, timeout=0.5)
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - start < 5


def test_a_large_tensor_goes_both_ways(target):
    values = np.random.default_rng(0).normal(size=(64, 4096)).astype(np.float32)
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "types", "float32"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(values))
    got = target.predictions.Predict(request, timeout=20).outputs["y"]
    np.testing.assert_array_equal(tf.make_ndarray(got), values)
