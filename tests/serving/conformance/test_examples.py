"""Classify, Regress and MultiInference over gRPC and REST."""

from __future__ import annotations

import grpc
import pytest
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from tests.serving.conformance.conftest import SIGNATURES
from tests.serving.models import VERSION

MODELS = pytest.mark.parametrize("model", ["half_plus_two", "half_plus_two_tf2"])
INVALID = grpc.StatusCode.INVALID_ARGUMENT
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def filled(request, *values, context=None):
    """Add examples with a feature x."""
    target = request.input.example_list
    if context is not None:
        target = request.input.example_list_with_context
        target.context.features.feature["x"].float_list.value.append(context)
    for value in values:
        example = target.examples.add()
        if value is not None:
            example.features.feature["x"].float_list.value.append(value)
    return request


def classification(signature, *values, model="half_plus_two", **kwargs):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    return filled(request, *values, **kwargs)


def regression(signature, *values, model="half_plus_two", **kwargs):
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    return filled(request, *values, **kwargs)


def multi(*tasks, model="half_plus_two"):
    request = inference_pb2.MultiInferenceRequest()
    for signature, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = model, signature
    return filled(request, 2.0, 4.0)


@MODELS
def test_classify_scores(target, model):
    request = classification("classify_x_to_y", 2.0, 4.0, model=model)
    answer = target.predictions.Classify(request)
    assert [[c.score for c in item.classes] for item in answer.result.classifications] == [
        [3.0],
        [4.0],
    ]
    assert answer.model_spec.signature_name == "classify_x_to_y"
    assert answer.model_spec.version.value == VERSION


def test_classify_labels(target):
    answer = target.predictions.Classify(classification("classify_labels", 2.0))
    (item,) = answer.result.classifications[0].classes
    assert (item.label, item.score) == ("3", 3.0) or item.label.startswith("3.0")


@MODELS
def test_regress(target, model):
    answer = target.predictions.Regress(regression("regress_x_to_y", 2.0, 6.0, model=model))
    assert [r.value for r in answer.result.regressions] == [3.0, 5.0]


def test_a_context_serves_examples_without_the_feature(target):
    answer = target.predictions.Regress(regression("regress_x_to_y", None, 6.0, context=2.0))
    assert [r.value for r in answer.result.regressions] == [3.0, 5.0]


def test_refused_classify_and_regress(target, refused):
    code, details = refused(target.predictions.Classify, classification("nothing", 1.0))
    text = "No signature was found with the name: nothing"
    assert (code, details) == (INVALID, target.missing(text, *SIGNATURES))
    code, details = refused(target.predictions.Classify, classification("classify_x_to_y"))
    assert (code, details) == (INVALID, "Input is empty.")
    code, details = refused(target.predictions.Regress, regression("classify_labels", 1.0))
    assert (code, details) == (INVALID, "Expected one output Tensor.")
    request = classification("default", 1.0)
    request.ClearField("model_spec")
    code, details = refused(target.predictions.Classify, request)
    assert (code, details) == (INVALID, "Missing ModelSpec")


@MODELS
def test_multi_inference(target, model):
    tasks = ("regress_x_to_y", REGRESS), ("classify_x_to_y", CLASSIFY)
    request = multi(*tasks, model=model)
    first, second = target.predictions.MultiInference(request).results
    assert [r.value for r in first.regression_result.regressions] == [3.0, 4.0]
    assert second.classification_result.classifications[1].classes[0].score == 4.0
    assert first.model_spec.signature_name == "regress_x_to_y"
    assert second.model_spec.version.value == VERSION


def test_refused_multi_inference(target, refused):
    call = target.predictions.MultiInference
    code, details = refused(call, multi(("nothing", REGRESS)))
    text = "Requested signature not found in model graph: nothing"
    assert (code, details) == (INVALID, target.missing(text, *SIGNATURES))
    twice = multi(("regress_x_to_y", REGRESS), ("regress_x_to_y", REGRESS))
    code, details = refused(call, twice)
    assert (code, details) == (INVALID, "Duplicate evaluation of signature: regress_x_to_y")
    code, details = refused(call, multi(("regress_x_to_y", "tensorflow/serving/predict")))
    assert code == grpc.StatusCode.UNIMPLEMENTED
    assert details == "Unsupported signature method_name: tensorflow/serving/predict"


def test_rest_classify(target):
    body = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}, {"x": [4.0]}]}
    reply = target.post("/v1/models/half_plus_two:classify", body)
    assert (reply.status, reply.json) == (200, {"results": [[["", 3.0]], [["", 4.0]]]})


def test_rest_regress(target):
    body = {"signature_name": "regress_x_to_y", "context": {"x": 6.0}, "examples": [{"x": 2.0}, {}]}
    reply = target.post("/v1/models/half_plus_two:regress", body)
    assert (reply.status, reply.json) == (200, {"results": [3.0, 5.0]})


def test_rest_refused_examples(target):
    path = "/v1/models/half_plus_two:regress"
    text = "No signature was found with the name: nothing"
    unknown = {"signature_name": "nothing", "examples": [{"x": 2.0}]}
    assert target.post(path, unknown).error == target.missing(text, *SIGNATURES)
    assert "key 'examples' is expected" in target.post(path, {}).error
    assert "empty array" in target.post(path, {"examples": []}).error
    assert "Example must be JSON object" in target.post(path, {"examples": [1]}).error
    mixed = {"signature_name": "regress_x_to_y", "examples": [{"x": [1.0, "a"]}]}
    assert "Unexpected element type in feature: x" in target.post(path, mixed).error
    null = {"signature_name": "regress_x_to_y", "examples": [{"x": None}]}
    assert "unexpected JSON type: Null" in target.post(path, null).error
