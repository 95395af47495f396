"""gRPC clients that are silent or many, and what holds up the end of a server."""

from __future__ import annotations

import contextlib
import socket
import time

import grpc
import pytest

from serving.grpc_api.server import server_options
from serving.options import parse
from tests.serving.conformance.conftest import predict_request
from tests.serving.running import running

PREDICT = "/tensorflow.serving.PredictionService/Predict"
REQUEST = predict_request("default", x=[2.0]).SerializeToString()
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, stream, payload=b"", flags=0):
    """An HTTP/2 frame."""
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def field(name, value):
    """A header field, never indexed, without compression."""
    return bytes([0x10, len(name)]) + name + bytes([len(value)]) + value


FIELDS = {
    b":method": b"POST",
    b":scheme": b"http",
    b":path": PREDICT.encode(),
    b":authority": b"h",
    b"content-type": b"application/grpc",
    b"te": b"trailers",
}
HEADERS = b"".join(field(name, value) for name, value in FIELDS.items())
HALF = b"\0" + (1000).to_bytes(4, "big") + b"half"


@contextlib.contextmanager
def connected(address):
    host, port = address.grpc.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        yield client


def ask(address, **options):
    with grpc.insecure_channel(address.grpc) as channel:
        return channel.unary_unary(PREDICT)(REQUEST, timeout=10, **options)


@pytest.mark.parametrize("sent", [b"", PREFACE[:10]])
def test_a_connection_that_does_not_speak_http_2_is_closed(models, sent):
    base = f"--model_base_path={models}/half_plus_two"
    with running(base, "--grpc_handshake_timeout_in_ms=200") as address:
        with connected(address) as client:
            client.sendall(sent)
            start = time.monotonic()
            while client.recv(1000):
                pass
            assert time.monotonic() - start < 10
        assert ask(address)


def test_there_are_no_more_connections_than_may_be(models):
    base = f"--model_base_path={models}/half_plus_two"
    with running(base, "--grpc_max_connections=3") as address:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connected(address)) for _ in range(8)]
            for client in clients:
                client.sendall(PREFACE + frame(4, 0))
                client.settimeout(0.5)
            assert sum(map(is_open, clients)) == 3
        assert ask(address, wait_for_ready=True)


def is_open(client):
    """Whether a connection was taken: its server speaks first and stays."""
    try:
        return client.recv(1000) != b""
    except OSError:
        return False


def test_an_idle_connection_is_closed(models):
    base = f"--model_base_path={models}/half_plus_two"
    flag = "--grpc_connection_idle_in_ms=200"
    with running(base, flag) as address, connected(address) as client:
        client.sendall(PREFACE + frame(4, 0))
        start = time.monotonic()
        while client.recv(1000):
            pass
        assert time.monotonic() - start < 10


def test_half_a_message_and_a_watch_do_not_hold_up_the_end(models, capfd, caplog):
    flags = (f"--model_base_path={models}/half_plus_two", "--drain_seconds=20")
    with running(*flags) as address, connected(address) as client:
        data = frame(0, 1, HALF)
        client.sendall(PREFACE + frame(4, 0) + frame(1, 1, HEADERS, flags=4) + data)
        with grpc.insecure_channel(address.grpc) as channel:
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            next(watch)
            start = time.monotonic()
            address.server.stop()
            assert time.monotonic() - start < 4
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


def test_channel_arguments_go_before_the_flags():
    given = "--grpc_channel_arguments=grpc.max_concurrent_streams=7,grpc.some_name=text"
    options = dict(server_options(parse([given, "--grpc_connection_idle_in_ms=0"])))
    assert options["grpc.max_concurrent_streams"] == 7
    assert options["grpc.some_name"] == "text"
    assert options["grpc.server_handshake_timeout_ms"] == 30_000
    assert "grpc.max_connection_idle_ms" not in options
