"""What the embedded server has beside TensorFlow Serving's interface, or sets up by files."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tensorflow.python.profiler import profiler_client
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.client import Client
from serving.client import main as client_main
from serving.config.files import metrics_path
from serving.errors import Code, ServingError
from serving.grpc_api.unix_socket import SocketPath
from serving.options import parse
from tests.serving import web
from tests.serving.conformance.conftest import eventually, predict_request
from tests.serving.running import free_port, running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def log_file(folder):
    return folder / "requests.jsonl"


@pytest.fixture(scope="module")
def address(models, folder, log_file):
    """A server with everything that is ours switched on, on a socket too."""
    with running(
        f"--model_config_file={models}/models.config",
        f"--request_log={log_file}",
        f"--grpc_socket_path={folder}/grpc.sock",
        "--rest_api_enable_cors_support",
        "--strict_json",
        "--enable_serialization_as_tensor_content",
        "--rest_api_timeout_in_ms=1000",
        "--rest_api_max_body_bytes=100000",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=200000,grpc.lb_policy_name=grpclb",
    ) as started:
        yield started


def predict(address, request, timeout=20):
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return stub.Predict(request, timeout=timeout)


def test_health_service(address):
    with grpc.insecure_channel(address.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "PredictionService", "ModelService", "tensorflow.serving.ModelService"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection(address):
    with grpc.insecure_channel(address.grpc) as channel:
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert "tensorflow.serving.PredictionService" in services
    assert "tensorflow.serving.ModelService" in services


def test_readiness_and_docs(address):
    ready = web.get(address.rest, "/v1/health/ready")
    assert (ready.status, ready.json["status"]) == (200, "ready")
    page = web.get(address.rest, "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert b"/openapi.json" in page.body
    api = web.get(address.rest, "/openapi.json").json
    body = api["paths"]["/v1/models/text:predict"]["post"]["requestBody"]
    schemas = body["content"]["application/json"]["schema"]["oneOf"]
    score = next(schema for schema in schemas if schema["title"] == "score")
    assert score["properties"]["inputs"]["properties"]["text"] == {
        "type": "array",
        "items": {"type": "string"},
    }


def test_unix_socket(address, folder):
    answer = predict(f"unix:{folder}/grpc.sock", predict_request("half_plus_two", x=[2.0]))
    assert answer.model_spec.name == "half_plus_two"


def test_answers_as_tensor_content(address):
    answer = predict(address.grpc, predict_request("half_plus_two", x=[2.0]))
    assert not answer.outputs["y"].float_val
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [3.0]
    words = predict(address.grpc, predict_request("text", "raw", text=[b"a", b"\xff"]))
    assert words.outputs["text"].tensor_content == b"\x01\x01a\xff"


def test_cors_headers(address):
    reply = web.post(address.rest, "/v1/models/half_plus_two:predict", {"instances": [2]})
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-allow-methods"] == "POST, GET"


def test_rest_timeout(address):
    body = {"instances": [2_000_000_000]}
    start = time.monotonic()
    reply = web.post(address.rest, "/v1/models/loop:predict", body)
    assert reply.status == 504
    assert time.monotonic() - start < 10


def test_rest_body_limits(address):
    path = "/v1/models/text:predict"
    reply = web.post(address.rest, path, {"instances": ["a" * 200_000]})
    assert (reply.status, reply.error) == (413, "request body is larger than 100000 bytes")
    cut = gzip.compress(b'{"instances": ["a"]}')[:-9]
    reply = web.post(address.rest, path, cut, {"Content-Encoding": "gzip"})
    assert (reply.status, reply.error) == (400, "the gzip body is cut short")
    bomb = gzip.compress(b" " * (101 << 20), 1)[:99_000]
    reply = web.post(address.rest, path, bomb, {"Content-Encoding": "gzip"})
    assert reply.status == 400


def test_request_log(address, log_file):
    web.post(address.rest, "/v1/models/half_plus_two:predict", {"instances": ["x"]})
    predict(address.grpc, predict_request("text", "score", text=[b"a"]))
    lines = [json.loads(line) for line in log_file.read_text().splitlines()]
    refused = [line for line in lines if line["code"] == "INVALID_ARGUMENT"][-1]
    assert (refused["entrypoint"], refused["method"]) == ("REST", "Predict")
    assert "is not of expected type: float" in refused["message"]
    last = lines[-1]
    assert (last["entrypoint"], last["model"], last["version"]) == ("GRPC", "text", 123)
    assert (last["signature"], last["code"]) == ("score", "OK")
    assert last["latency_ms"] > 0


def test_client_over_both_interfaces(address):
    for client in (Client(address.grpc), Client.rest(address.rest)):
        with client:
            words = client.next_words(["the cat sat", "a b c"], model="text")
            assert [[word for word, _ in row] for row in words] == [["THE", "CAT"], ["A", "B"]]
            assert words[0][0][1] == pytest.approx(0.125)
            scores = client.score(["the cat", "", "the dog"], model="text")
            assert [(s.log_prob, s.tokens, s.oov) for s in scores] == [
                (-1.0, 3, 0), (-0.0, 1, 0), (-1.0, 3, 1),
            ]  # fmt: skip
            with pytest.raises(ServingError) as error:
                client.translate(["x"], model="nobody")
            assert error.value.code is Code.NOT_FOUND
            with pytest.raises(TypeError, match="give a list of str"):
                client.score("the cat", model="text")


def test_the_clients_command_line(address, capsys):
    argv = ["score", "the cat", "--model=text", f"--server={address.rest}"]
    assert client_main(argv) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"text": "the cat", "answer": {"log_prob": -1.0, "tokens": 3, "oov": 0}}
    argv = ["next", "the cat", "--model=nobody", f"--server={address.grpc}"]
    assert client_main(argv) == 2
    assert "NOT_FOUND" in capsys.readouterr().err


def test_a_client_without_a_server():
    port = free_port()
    for client in (Client(f"127.0.0.1:{port}", 5), Client.rest(f"http://127.0.0.1:{port}", 5)):
        with client, pytest.raises(ServingError) as error:
            client.score(["x"])
        assert error.value.code is Code.UNAVAILABLE


def test_profiler_service(address, tmp_path):
    from serving.codec import wire

    request = wire.integer(1, 200) + wire.delimited(5, str(tmp_path).encode())
    with grpc.insecure_channel(address.grpc) as channel:
        call = channel.unary_unary("/tensorflow.ProfilerService/Profile")
        answer = call(request + wire.delimited(6, b"session"), timeout=60)
        assert answer == b""
        monitor = channel.unary_unary("/tensorflow.ProfilerService/Monitor")
        assert b"Processor use" in monitor(wire.integer(1, 10), timeout=10)
    assert list((tmp_path / "session").glob("*.xplane.pb"))


def test_tensorflows_own_profiler_client(address, tmp_path):
    stop = threading.Event()

    def ask():
        while not stop.wait(0.05):
            predict(address.grpc, predict_request("text", "score", text=[b"the cat"]))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        profiler_client.trace(address.grpc, str(tmp_path), 200, "", 10)
        assert "Processor use" in profiler_client.monitor(address.grpc, 100, 1)
    finally:
        stop.set()
        asking.join()
    assert list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))


def test_config_file_is_polled_and_a_models_own_log_written(models, tmp_path):
    path = tmp_path / "models.config"

    def listed(name, extra=""):
        return (
            f'model_config_list {{ config {{ name: "{name}" base_path: "{models}/half_plus_two" '
            f'model_platform: "tensorflow" {extra} }} }}'
        )

    path.write_text(listed("first"))
    poll = "--model_config_file_poll_wait_seconds=1"
    logs = f"--request_log_folder={tmp_path}"
    with running(f"--model_config_file={path}", poll, logs) as address:

        def works(name):
            reply = web.post(address.rest, f"/v1/models/{name}:predict", {"instances": [2]})
            return reply.status == 200

        assert works("first")
        path.write_text("nonsense {")
        time.sleep(1.5)
        assert works("first")
        prefix = tmp_path / "second"
        collector = f'log_collector_config {{ filename_prefix: "{prefix}" }}'
        sampling = "sampling_config { sampling_rate: 1 }"
        path.write_text(listed("second", f"logging_config {{ {collector} {sampling} }}"))
        assert eventually(lambda: works("second"))
        assert eventually(lambda: not works("first"))
        (line, *_) = (tmp_path / "second.jsonl").read_text().splitlines()
        assert json.loads(line)["model"] == "second"


def test_labels_of_versions_that_are_not_there_yet(models, tmp_path):
    path = tmp_path / "models.config"
    path.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{models}/half_plus_two" '
        'model_platform: "tensorflow" version_labels { key: "stable" value: 123 } } }'
    )
    allow = "--allow_version_labels_for_unavailable_models"
    with running(f"--model_config_file={path}", allow) as address:
        reply = web.post(address.rest, "/v1/models/m/labels/stable:predict", {"instances": [2]})
        assert reply.json == {"predictions": [3.0]}


@pytest.mark.parametrize("path", ["/metrics", "metrics"])
def test_a_metrics_path_needs_no_slash(models, tmp_path, path):
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text(f'prometheus_config {{ enable: true path: "{path}" }}')
    base = f"--model_base_path={models}/half_plus_two"
    with running(base, f"--monitoring_config_file={monitoring}") as address:
        page = web.get(address.rest, "/metrics")
        assert page.status == 200
        assert b"request_count" in page.body


@pytest.mark.parametrize("path", ["/a b", "/metrics?x", "/m\u00fc"])
def test_a_metrics_path_that_no_request_has_is_refused(tmp_path, path):
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text(f'prometheus_config {{ enable: true path: "{path}" }}', "utf-8")
    with pytest.raises(ServingError, match="no request can have the path"):
        metrics_path(parse([f"--monitoring_config_file={monitoring}"]))


def test_platform_and_session_config_files(models, tmp_path):
    platform = tmp_path / "platform.config"
    platform.write_text("""platform_configs { key: "tensorflow" value { source_adapter_config {
      [type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] {
        legacy_config { session_config { intra_op_parallelism_threads: 1 }
          batching_parameters { max_batch_size { value: 2 } } } } } } }""")
    base = f"--model_base_path={models}/half_plus_two"
    with running(base, f"--platform_config_file={platform}") as address:
        reply = web.post(address.rest, "/v1/models/default:predict", {"instances": [[2], [4], [6]]})
        assert reply.error == "Task size 3 is larger than maximum input batch size 2"


def test_arrays_survive_a_round_trip_as_rest_text(address):
    values = np.random.default_rng(0).normal(size=50).astype(np.float32)
    body = {"signature_name": "float32", "instances": [float(v) for v in values]}
    reply = web.post(address.rest, "/v1/models/types:predict", body)
    np.testing.assert_array_equal(np.float32(reply.json["predictions"]), values)


def test_a_server_leaves_the_socket_of_the_one_that_took_its_path(models, tmp_path):
    base, path = f"--model_base_path={models}/half_plus_two", tmp_path / "s"
    flags = (base, f"--grpc_socket_path={path}")
    with running(*flags):
        with running(*flags) as newer:
            newer_socket = path.stat().st_ino
            request = predict_request("default", x=[2.0])
            assert list(predict(f"unix:{path}", request).outputs["y"].float_val) == [3.0]
            assert newer.server
        assert not path.exists()
    with running(*flags) as older, running(*flags):
        newer_socket = path.stat().st_ino
        older.server.stop()
        assert path.stat().st_ino == newer_socket
        assert list(predict(f"unix:{path}", request).outputs["y"].float_val) == [3.0]
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_socket_stays(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    place = SocketPath(str(path))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(place.bound)
        with pytest.raises(ServingError, match="it exists and is no socket"):
            place.publish()
    place.withdraw()
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_strict_json(address):
    body = '{"signature_name": "float32", "instances": [NaN, -Infinity, 0.5]}'
    reply = web.post(address.rest, "/v1/models/types:predict", body)
    assert reply.json == {"predictions": [None, -3.40282347e38, 0.5]}
    examples = {"signature_name": "regress_x_to_y", "examples": [{"x": 3e38}, {"x": 2.0}]}
    reply = web.post(address.rest, "/v1/models/half_plus_two:regress", examples)
    assert reply.json == {"results": [1.5e38, 3.0]}
    infinite = '{"signature_name": "regress_x_to_y", "examples": [{"x": -Infinity}]}'
    reply = web.post(address.rest, "/v1/models/half_plus_two:regress", infinite)
    assert reply.json == {"results": [-3.40282347e38]}
