"""API keys over both interfaces, and the file that they stand in."""

from __future__ import annotations

import contextlib
import hmac
import json
import logging

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.access import keys
from serving.access.keys import ApiKeys, read_keys
from serving.client import Client
from serving.client import main as client_main
from serving.config.files import DEFAULT_METRICS_PATH
from serving.errors import Code, ServingError
from tests.serving import web
from tests.serving.conformance.conftest import predict_request
from tests.serving.running import running

KEY, OTHER = "0f3a5c", "77c1d9"
PATH = "/v1/models/text:predict"
BODY = {"signature_name": "score", "instances": ["the cat"]}
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(f"# of the web site\n{KEY}\n\n  {OTHER}  \n")
    return path


def guarded(models, tmp_path_factory, key_file, *flags):
    monitoring = tmp_path_factory.mktemp("guarded") / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    return running(
        f"--model_base_path={models}/text", "--model_name=text", f"--api_key_file={key_file}",
        f"--monitoring_config_file={monitoring}", "--rest_api_enable_cors_support", *flags,
    )  # fmt: skip


@pytest.fixture(scope="module")
def address(models, tmp_path_factory, key_file):
    with guarded(models, tmp_path_factory, key_file) as started:
        yield started


GOOD = [
    {"Authorization": f"Bearer {KEY}"},
    {"authorization": f"bearer  {OTHER} "},
    {"X-API-Key": KEY},
    {"Authorization": "Basic abc", "x-api-key": OTHER},
]
BAD = [
    {},
    {"Authorization": KEY},
    {"Authorization": f"Basic {KEY}"},
    {"Authorization": f"Bearer {KEY}x"},
    {"Authorization": f"Bearer {KEY[:-1]}"},
    {"Authorization": "Bearer "},
    {"x-api-key": ""},
    {"x-api-key": "# of the web site"},
    {"api-key": KEY},
]  # fmt: skip


@pytest.mark.parametrize("headers", GOOD)
def test_a_key_opens_rest(address, headers):
    assert web.post(address.rest, PATH, BODY, headers).status == 200


@pytest.mark.parametrize("headers", BAD)
def test_without_a_key_rest_is_closed(address, headers):
    reply = web.post(address.rest, PATH, BODY, headers)
    assert (reply.status, reply.error) == (401, keys.REFUSAL)
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/health/live",
        "/v1/health/ready",
        "/docs",
        "/openapi.json",
        DEFAULT_METRICS_PATH,
        "/v1/models/text",
        "/v1/models/text/metadata",
        "/nowhere",
    ],
)
def test_every_page_needs_a_key(address, path):
    assert web.get(address.rest, path).status == 401
    known = web.request(address.rest, "GET", path, headers={"x-api-key": KEY}).status
    assert known == (404 if path == "/nowhere" else 200)


def test_a_browser_may_ask_whether_it_may_send_a_key(address):
    reply = web.request(address.rest, "OPTIONS", PATH, headers={"Origin": "http://a.example"})
    assert reply.status == 200
    assert "X-API-Key" in reply.headers["access-control-allow-headers"]


def test_a_refused_body_is_not_waited_for(address):
    large = b"x" * (1 << 20)
    assert web.post(address.rest, PATH, large).status == 401


def call(address, method, metadata=(), request=b""):
    with grpc.insecure_channel(address.grpc) as channel:
        return channel.unary_unary(method)(request, timeout=10, metadata=metadata)


@pytest.mark.parametrize("headers", GOOD)
def test_a_key_opens_grpc(address, headers):
    request = predict_request("text", "score", text=[b"the cat"]).SerializeToString()
    metadata = [(name.lower(), value) for name, value in headers.items()]
    assert call(address, "/tensorflow.serving.PredictionService/Predict", metadata, request)


@pytest.mark.parametrize("headers", [h for h in BAD if "" not in h.values()])
def test_without_a_key_grpc_is_closed(address, headers):
    metadata = [(name.lower(), value) for name, value in headers.items()]
    with pytest.raises(grpc.RpcError) as refused:
        call(address, "/tensorflow.serving.PredictionService/Predict", metadata)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refused.value.details() == keys.REFUSAL


@pytest.mark.parametrize(
    "method",
    [
        "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
        "/tensorflow.serving.ModelService/GetModelStatus",
        "/tensorflow.ProfilerService/Monitor",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        REFLECTION,
        "/no.such.Service/Method",
    ],
)
def test_every_service_needs_a_key(address, method):
    with pytest.raises(grpc.RpcError) as refused:
        call(address, method)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("/tensorflow.serving.ModelService/GetModelStatus", "INVALID_ARGUMENT"),
        ("/grpc.health.v1.Health/Check", "OK"),
        ("/grpc.health.v1.Health/Watch", "OK"),
        ("/no.such.Service/Method", "UNIMPLEMENTED"),
    ],
)
def test_a_key_opens_every_service(address, method, code):
    with grpc.insecure_channel(address.grpc) as channel:
        answers = channel.unary_stream(method)(b"", timeout=5, metadata=[("x-api-key", KEY)])
        with contextlib.suppress(grpc.RpcError):
            next(answers)
            answers.cancel()
        assert answers.code().name in (code, "CANCELLED" if code == "OK" else code)


def test_health_and_metrics_may_be_left_open(models, tmp_path_factory, key_file):
    flags = ("--health_without_key", "--metrics_without_key")
    with guarded(models, tmp_path_factory, key_file, *flags) as address:
        for path in ("/v1/health/live", "/v1/health/ready", DEFAULT_METRICS_PATH):
            assert web.get(address.rest, path).status == 200
        assert web.get(address.rest, "/v1/models/text").status == 401
        assert web.get(address.rest, "/v1/health/live/../../models/text").status == 401
        with grpc.insecure_channel(address.grpc) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as refused:
            call(address, "/tensorflow.serving.PredictionService/Predict")
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_the_client_sends_a_key(address):
    for client in (Client(address.grpc, api_key=KEY), Client.rest(address.rest, api_key=OTHER)):
        with client:
            assert client.score(["the cat"], model="text")[0].tokens == 3
    for client in (Client(address.grpc), Client.rest(address.rest, api_key="wrong")):
        with client, pytest.raises(ServingError) as refused:
            client.score(["the cat"], model="text")
        assert refused.value.code is Code.UNAUTHENTICATED


def test_the_clients_command_line_sends_a_key(address, key_file, capsys, monkeypatch, tmp_path):
    argv = ["score", "the cat", "--model=text"]
    for server in (address.grpc, address.rest):
        assert client_main([*argv, f"--server={server}", f"--api-key-file={key_file}"]) == 0
        assert json.loads(capsys.readouterr().out)["answer"]["tokens"] == 3
        assert client_main([*argv, f"--server={server}"]) == 2
        assert "UNAUTHENTICATED: an API key is needed" in capsys.readouterr().err
    monkeypatch.setenv("ZOO_API_KEY", OTHER)
    assert client_main([*argv, f"--server={address.rest}"]) == 0
    empty = tmp_path / "empty"
    empty.touch()
    assert client_main([*argv, f"--api-key-file={empty}"]) == 2
    assert "it holds no key: write one a line" in capsys.readouterr().err


def test_keys_are_read_anew_and_a_broken_file_changes_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(keys, "LOOK_SECONDS", 0.0)
    path = tmp_path / "keys"
    path.write_text(KEY)
    known = ApiKeys(str(path))

    def admits(key):
        return known.admits([(b"x-api-key", key.encode())])

    assert (admits(KEY), admits(OTHER)) == (True, False)
    path.write_text(f"{KEY}\n{OTHER}\n")
    assert (admits(KEY), admits(OTHER)) == (True, True)
    path.write_text(OTHER)
    assert (admits(KEY), admits(OTHER)) == (False, True)
    with caplog.at_level(logging.ERROR):
        for spoil in (lambda: path.write_text(""), path.unlink, lambda: path.write_text("a b")):
            spoil()
            assert [admits(OTHER) for _ in range(3)] == [True] * 3
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3, "each complaint once"
    assert all("the keys stay as they were" in line for line in said)
    assert "a b" not in caplog.text
    path.write_text(KEY)
    assert (admits(KEY), admits(OTHER)) == (True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "it holds no key: write one a line"),
        (b"# only this\n", "it holds no key"),
        (b"good\nbad key\n", "line 2: a key is printable ASCII without spaces"),
        (b"caf\xc3\xa9\n", "line 1: a key is printable ASCII"),
        (None, "No such file or directory"),
    ],
)
def test_a_key_file_that_is_none_keeps_the_server_from_starting(tmp_path, text, message):
    path = tmp_path / "keys"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ServingError, match=f"--api_key_file={path}: {message}") as refused:
        ApiKeys(str(path))
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_comparing_takes_the_same_steps_for_every_key(tmp_path, monkeypatch):
    """Each known key is compared as a whole, whichever matches, and nothing but digests is."""
    path = tmp_path / "keys"
    path.write_text(f"{KEY}\n{OTHER}\nthird\n")
    known = ApiKeys(str(path))
    compared = []

    def compare(a, b):
        compared.append((len(a), len(b)))
        return a == b

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for sent in (KEY, OTHER, "third", "x", "x" * 10_000):
        compared.clear()
        known.admits([("x-api-key", sent)])
        assert compared == [(32, 32)] * 3


def test_files_of_any_line_ends_are_read():
    assert read_keys(b"a\r\nb\r# c\n\n\td\n") == [b"a", b"b", b"d"]
