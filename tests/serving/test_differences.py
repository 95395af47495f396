"""Rows of docs/serving-differences.md that no other test has a reason to look at."""

from __future__ import annotations

import os
import threading
import time

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

import serving.__main__
from serving.config.files import model_server_config
from serving.errors import Code, ServingError
from serving.grpc_api.server import worker_threads as grpc_threads
from serving.options import CPUS, parse
from serving.rest.app import worker_threads as rest_threads
from tests.serving import web
from tests.serving.conformance.conftest import eventually, predict_request
from tests.serving.running import running

OVERRIDE = "TF_OVERRIDE_GLOBAL_THREADPOOL"
HALF = "/v1/models/default:predict"


@pytest.fixture(scope="module")
def address(models, tmp_path_factory):
    monitoring = tmp_path_factory.mktemp("differences") / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    base = f"--model_base_path={models}/half_plus_two"
    with running(base, f"--monitoring_config_file={monitoring}") as started:
        yield started


def refused_call(address, method, data):
    """Status code and details of a call with raw bytes."""
    with grpc.insecure_channel(address.grpc) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/tensorflow.serving.{method}")(data, timeout=20)
    return error.value.code(), error.value.details()


@pytest.mark.parametrize(
    "method",
    ["PredictionService/Predict", "PredictionService/Classify", "ModelService/GetModelStatus"],
)
def test_bytes_that_are_no_message_are_the_clients_fault(address, method):
    code, details = refused_call(address, method, b"\xff\xff\xff")
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert details


def test_models_that_do_not_exist_share_a_line_of_the_metrics(address):
    for name in ("nobody", "noone"):
        reply = web.post(address.rest, f"/v1/models/{name}:predict", {"instances": [1]})
        assert reply.status == 404
    page = web.get(address.rest, "/monitoring/prometheus/metrics").body.decode()
    assert "nobody" not in page
    assert "noone" not in page
    assert 'model_name=""' in page


def test_metrics_that_are_not_listed(address):
    page = web.get(address.rest, "/monitoring/prometheus/metrics").body.decode()
    assert ":tensorflow:serving:request_count" in page
    for name in (":tensorflow:core:", "queuing_latency", "wrapped_run_count", "mlmd_map"):
        assert name not in page


@pytest.mark.parametrize(
    ("inputs", "start"),
    [({}, "input size does not match"), ({"z": [1.0]}, "Signature input alias: x"),
     ({"x": [b"two"]}, "Expects arg[0] to be float but string is provided for input x.")],
)  # fmt: skip
def test_refused_inputs_are_told_what_the_signature_expects(address, inputs, start):
    request = predict_request("default", **inputs).SerializeToString()
    code, details = refused_call(address, "PredictionService/Predict", request)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith(start)
    assert details.endswith("Expected inputs: {x: DT_FLOAT [-1, 1]}.")


def test_long_values_are_cut_in_errors(address):
    reply = web.post(address.rest, HALF, {"instances": ["x" * 100_000]})
    assert (reply.status, len(reply.error) < 800) == (400, True)
    assert "x" * 400 in reply.error


@pytest.mark.parametrize(
    ("text", "status"),
    [("Infinity", 200), ("-Infinity", 200), ("NaN", 200), ("Inf", 400), ("-Inf", 400)],
)
def test_infinity_has_one_spelling(address, text, status):
    assert web.post(address.rest, HALF, f'{{"instances": [{text}]}}').status == status


def test_a_reload_ends_at_its_callers_deadline(address, models, tmp_path):
    (tmp_path / "1").mkdir()
    wanted = ModelServerConfig()
    for name, path in (("default", models / "half_plus_two"), ("new", tmp_path)):
        wanted.model_config_list.config.add(
            name=name, base_path=str(path), model_platform="tensorflow"
        )
    with pytest.raises(ServingError) as error:  # the load is tried again in a minute
        address.server.core.reload(wanted, time.monotonic() + 0.2)
    assert error.value.code is Code.DEADLINE_EXCEEDED
    del wanted.model_config_list.config[1]
    address.server.core.reload(wanted)


def test_a_config_file_is_applied_when_it_changed(address, models, tmp_path, monkeypatch):
    """What a reload set up in between stays, where the file is as it was."""
    path = tmp_path / "models.config"

    def text(name):
        return (
            f'model_config_list {{ config {{ name: "{name}" base_path: "{models}/half_plus_two" '
            'model_platform: "tensorflow" } }'
        )

    path.write_text(text("first"))
    poll = "--model_config_file_poll_wait_seconds=1"
    with running(f"--model_config_file={path}", poll) as started:
        core = started.server.core
        polled = threading.Event()
        monkeypatch.setattr(
            "serving.lifecycle.core.model_server_config",
            lambda flags: (model_server_config(flags), polled.set())[0],
        )
        other = text_format.Parse(text("other"), ModelServerConfig())
        core.reload(other)
        polled.clear()
        assert polled.wait(10)
        path.write_text(text("third"))
        assert core.model_names() == ["other"]
        assert eventually(lambda: core.model_names() == ["third"])


@pytest.mark.parametrize("threads", [grpc_threads, rest_threads])
def test_threads_for_requests_that_wait_for_batches(threads):
    assert threads(parse([])) == 4 * CPUS
    assert threads(parse(["--enable_batching"])) == max(64, 4 * CPUS)
    own = ["--grpc_max_threads=3", "--rest_api_num_threads=3"]
    assert threads(parse(["--enable_batching", *own])) == 3


def test_each_version_has_a_thread_pool_of_its_own(monkeypatch):
    monkeypatch.delenv(OVERRIDE, raising=False)
    monkeypatch.setattr(serving.__main__, "run", lambda argv: len(argv))
    assert serving.__main__.main(["--port=1"]) == 1
    assert os.environ.pop(OVERRIDE) == "1"
