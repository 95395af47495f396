"""However a Predict is answered, its bytes are parsed once and its version is acquired once."""

from __future__ import annotations

from types import SimpleNamespace

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.grpc_api import methods
from serving.lifecycle.version import ModelVersion
from serving.rest import json_body
from tests.serving import web
from tests.serving.conformance.conftest import predict_request
from tests.serving.running import running


@pytest.fixture
def counts(monkeypatch):
    """How often a request was parsed and a version acquired, from now on."""
    seen = {"parsed": 0, "acquired": 0}

    def counting(name, function):
        def counted(*args):
            seen[name] += 1
            return function(*args)

        return counted

    request = SimpleNamespace(
        FromString=counting("parsed", predict_pb2.PredictRequest.FromString),
        DESCRIPTOR=predict_pb2.PredictRequest.DESCRIPTOR,
    )
    monkeypatch.setattr(methods, "predict_pb2", SimpleNamespace(PredictRequest=request))
    monkeypatch.setattr(json_body, "parse", counting("parsed", json_body.parse))
    monkeypatch.setattr(ModelVersion, "acquire", counting("acquired", ModelVersion.acquire))
    return seen


@pytest.fixture
def tflite(tmp_path):
    """The base path of a TFLite model, which does not batch."""
    function = tf.function(lambda x: {"y": x / 2.0 + 2.0}).get_concrete_function(
        tf.TensorSpec([None], tf.float32, name="x")
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    (tmp_path / "lite" / "1").mkdir(parents=True)
    (tmp_path / "lite" / "1" / "model.tflite").write_bytes(converter.convert())
    return tmp_path / "lite"


def ask_both(address, counts, alias="x"):
    """What the two interfaces counted for a Predict each."""
    with grpc.insecure_channel(address.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(predict_request("default", **{alias: [2.0]}), timeout=30)
    assert [list(t.float_val) for t in answer.outputs.values()] == [[3.0]]
    over_grpc = dict(counts)
    counts.update(parsed=0, acquired=0)
    reply = web.post(address.rest, "/v1/models/default:predict", {"instances": [2.0]})
    assert reply.json == {"predictions": [3.0]}
    return over_grpc, dict(counts)


ONCE = {"parsed": 1, "acquired": 1}


@pytest.mark.parametrize("flags", [[], ["--enable_batching"]])
def test_a_saved_model(models, counts, flags):
    with running(f"--model_base_path={models}/half_plus_two", *flags) as address:
        assert ask_both(address, counts) == (ONCE, ONCE)


def test_a_model_that_does_not_batch_on_a_server_that_does(tflite, counts):
    flags = ["--enable_batching", "--prefer_tflite_model"]
    with running(f"--model_base_path={tflite}", *flags) as address:
        assert ask_both(address, counts) == (ONCE, ONCE)
