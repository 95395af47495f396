"""No client keeps others out: with runs it has left, with profiles, with requests for too much."""

from __future__ import annotations

import json
import socket
import time

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import get_model_status_pb2, input_pb2, model_service_pb2_grpc

from serving.client import Client
from serving.codec import wire
from serving.errors import ServingError
from serving.inference.tf_examples import serialized_examples
from serving.models.caps import Caps
from serving.rest.leaving import GivenUpOnLeaving
from serving.session.watchdog import WATCHDOG
from tests.serving import web
from tests.serving.conformance.conftest import eventually, predict_request
from tests.serving.running import running

ENDLESS = 2_000_000_000
WORKERS = 2
PROFILER = "/tensorflow.ProfilerService"
PREDICT = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(scope="module")
def address(models):
    with running(
        f"--model_config_file={models}/models.config",
        f"--grpc_max_threads={WORKERS}",
        f"--rest_api_num_threads={WORKERS}",
        "--rest_api_timeout_in_ms=0",
    ) as started:
        yield started


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(WATCHDOG, "interval", 0.05)
    monkeypatch.setattr(WATCHDOG, "grace", 0.1)
    monkeypatch.setattr(GivenUpOnLeaving, "patience", 0.05)


def status(address):
    with grpc.insecure_channel(address.grpc) as channel:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "loop"
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        return stub.GetModelStatus(request, timeout=2).model_version_status[0].state


def leave_runs(address, interface):
    """Occupy every worker with runs without a deadline, and go."""
    if interface == "rest":
        host, _, port = address.rest.removeprefix("http://").partition(":")
        body = json.dumps({"instances": [ENDLESS]})
        head = f"POST /v1/models/loop:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
        sockets = [socket.create_connection((host, int(port))) for _ in range(WORKERS)]
        for one in sockets:
            one.sendall(f"{head}\r\n\r\n{body}".encode())
        time.sleep(0.3)
        for one in sockets:
            one.close()
    else:
        with grpc.insecure_channel(address.grpc) as channel:
            data = predict_request("loop", steps=[ENDLESS]).SerializeToString()
            calls = [channel.unary_unary(PREDICT).future(data) for _ in range(WORKERS)]
            time.sleep(0.3)
            assert status(address) == 30  # told though every worker runs
            for call in calls:
                call.cancel()


@pytest.mark.parametrize("interface", ["grpc", "rest"])
def test_clients_that_leave_lock_nobody_out(address, soon, interface):
    leave_runs(address, interface)
    made = Client(address.grpc, 20) if interface == "grpc" else Client.rest(address.rest, 20)
    with made as client:
        assert client.score(["the cat"], model="text")[0].tokens == 3
    assert web.get(address.rest, "/v1/models/loop").status == 200
    assert eventually(lambda: WATCHDOG.idle)


def test_one_profile_at_a_time_and_not_longer_than_its_client(address):
    long = wire.integer(1, 600_000)
    with grpc.insecure_channel(address.grpc) as channel:
        monitor = channel.unary_unary(f"{PROFILER}/Monitor")
        first = monitor.future(long)

        def is_first():
            """Another may have come before it, which ends it."""
            nonlocal first
            if first.done():
                first = monitor.future(long)
            return refused() and not first.done()

        def refused():
            try:
                monitor(wire.integer(1, 1), timeout=5)
            except grpc.RpcError as error:
                return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            return False

        assert eventually(is_first)
        assert status(address) == 30
        first.cancel()
        assert eventually(lambda: not refused())


def repeated(name, alias, kind, shape, **values):
    """A Predict request of a few bytes for a tensor of this shape."""
    request = predict_request(name)
    tensor = request.inputs[alias]
    tensor.dtype = kind
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    for field, value in values.items():
        getattr(tensor, field).append(value)
    return request


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: repeated("text", "text", 7, [100_000], string_val=b"a"), "--max_request_rows"),
        (lambda: repeated("text", "text", 7, [5_000, 100], string_val=b"a" * 999), "parsing error"),
        (lambda: repeated("half_plus_two", "x", 1, [100_000, 1]), "--max_request_rows"),
        (lambda: repeated("half_plus_two", "x", 1, [1 << 30, 1 << 30]), "parsing error"),
    ],
)
def test_a_request_may_not_stand_for_too_much(address, make, said):
    data = make().SerializeToString()
    assert len(data) < 1100
    with grpc.insecure_channel(address.grpc) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(PREDICT)(data, timeout=10)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in error.value.details()


def test_rows_are_counted_over_rest_too(address):
    reply = web.post(address.rest, "/v1/models/text:predict", {"instances": ["a"] * 40_000})
    assert reply.status == 400
    assert "--max_request_rows=32768" in reply.error
    vector = {"instances": [1] * 40_000}
    assert web.post(address.rest, "/v1/models/half_plus_two_tf2:predict", vector).status == 200


def test_examples_may_not_stand_for_too_much():
    request = input_pb2.Input()
    context = request.example_list_with_context
    context.context.features.feature["x"].bytes_list.value.append(b"x" * 10_000)
    for _ in range(100):
        context.examples.add()
    assert len(serialized_examples(request, Caps())) == 100
    for caps, flag in ((Caps(bytes=900_000), "bytes"), (Caps(rows=99), "rows")):
        with pytest.raises(ServingError, match=f"--max_request_{flag}"):
            serialized_examples(request, caps)


def test_strings_count_with_their_characters():
    arrays = {"a": np.array([b"abc", b""], object), "b": np.zeros(3, np.float32)}
    Caps(bytes=2 * 24 + 3 + 12).check(arrays)
    with pytest.raises(ServingError, match="the inputs take 63 bytes"):
        Caps(bytes=62).check(arrays)
