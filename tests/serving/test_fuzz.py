"""Malformed requests by the thousand: always a clean refusal, never a crash or an empty error."""

from __future__ import annotations

import http.client
import json
import random
import string
import time

import grpc
import pytest

from serving.errors import Code
from serving.grpc_api.methods import model_methods, prediction_methods, status_of
from serving.rest.routes import Routes
from tests.serving.conformance.conftest import predict_request
from tests.serving.running import running

MESSAGES, BODIES = 5000, 5000
OVER_THE_WIRE = 250
PATHS = (
    "/v1/models/half_plus_two:predict",
    "/v1/models/types:predict",
    "/v1/models/text:predict",
    "/v1/models/half_plus_two:classify",
    "/v1/models/half_plus_two:regress",
)
SEEDS = (
    {"instances": [1.0, 2.5, 3]},
    {"instances": [{"a": 1.0, "b": 2.0}]},
    {"inputs": {"a": [1.0], "b": [2.0]}},
    {"signature_name": "string", "instances": ["text", {"b64": "aGk="}]},
    {"signature_name": "uint64", "inputs": [18446744073709551615]},
    {"signature_name": "score", "instances": ["the cat", ""]},
    {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}], "context": {"x": [1]}},
)
FRAGMENTS = (
    "[" * 3000, "{" * 50, '{"a":' * 2000, "1e400", "-0", "NaN", "Infinity", "null", "true", '""',
    '"\\ud800"', '{"b64":"*"}', "9" * 5000, "[[],[1]]", '{"x":', "\x00", "é", "\\", '"', ",", "]}",
)  # fmt: skip


def mangled(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat or insert bytes, up to four times."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        choice = rng.randrange(4)
        if choice == 0 and at < len(out):
            out[at] = rng.randrange(256)
        elif choice == 1:
            del out[at : at + rng.randint(1, 8)]
        elif choice == 2:
            out[at:at] = out[at : at + rng.randint(1, 16)]
        else:
            out[at:at] = rng.randbytes(rng.randint(1, 4))
    return bytes(out)


def body(rng: random.Random) -> bytes:
    """A broken JSON body."""
    text = json.dumps(rng.choice(SEEDS))
    choice = rng.randrange(4)
    if choice == 0:
        return mangled(text.encode(), rng)
    if choice == 1:
        at = rng.randrange(len(text))
        return (text[:at] + rng.choice(FRAGMENTS) + text[at:]).encode()
    if choice == 2:
        start, end = sorted(rng.sample(range(len(text)), 2))
        return (text[:start] + rng.choice(FRAGMENTS) + text[end:]).encode()
    letters = "".join(rng.choices(string.printable, k=rng.randint(0, 40)))
    return letters.encode()


def message(rng: random.Random) -> bytes:
    """A broken PredictRequest, which other methods get as well."""
    requests = (
        predict_request("half_plus_two", x=[1.0]),
        predict_request("types", a=[1.0], b=[2.0]),
        predict_request("text", "score", text=[b"the cat"]),
    )
    return mangled(rng.choice(requests).SerializeToString(), rng)


@pytest.fixture(scope="module")
def address(models):
    with running(f"--model_config_file={models}/models.config") as started:
        yield started


def test_rest_bodies(address):
    routes, rng = Routes(address.server.engine, 10.0), random.Random(1)
    for _ in range(BODIES):
        sent, path = body(rng), rng.choice(PATHS)
        answer = routes.post(path, "", sent)
        assert answer.status in (200, 400, 404, 501), (path, sent, answer)
        if answer.status != 200:
            assert json.loads(answer.body)["error"], (path, sent)


def test_grpc_messages(address):
    engine, rng = address.server.engine, random.Random(2)
    table = {**prediction_methods(engine), **model_methods(engine)}
    methods = [table[name] for name in table if name != "HandleReloadConfigRequest"]
    for _ in range(MESSAGES):
        sent, method = message(rng), rng.choice(methods)
        try:
            assert isinstance(method.answer(sent, time.monotonic() + 10), bytes)
        except Exception as caught:
            refusal = status_of(caught)
            assert refusal.code != Code.INTERNAL, (sent, refusal)
            assert refusal.message, sent


def outcome(call, data):
    """The status code and details of a call."""
    try:
        call(data, timeout=20)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, "answered"


def test_over_the_wire(address):
    rng = random.Random(3)
    host, port = address.rest.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    with grpc.insecure_channel(address.grpc) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        for _ in range(OVER_THE_WIRE):
            connection.request("POST", rng.choice(PATHS), body(rng))
            response = connection.getresponse()
            assert response.read()
            assert response.status != 500
            code, details = outcome(call, message(rng))
            assert code != grpc.StatusCode.INTERNAL
            assert details
    connection.close()


def test_paths(address):
    rng = random.Random(4)
    routes = Routes(address.server.engine, 10.0)
    for _ in range(1000):
        path = mangled(rng.choice(PATHS).encode(), rng).decode("latin-1")
        for answer in (routes.post(path, "", b'{"instances": [1]}'), routes.get(path, "")):
            assert answer.status in (200, 400, 404)
