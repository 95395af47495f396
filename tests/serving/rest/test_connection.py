"""What comes over a bare socket: offers of other protocols, HTTP/1.0, halves of requests."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.serving.running import running

PATH = "/v1/models/default:predict"
BODY = b'{"instances": [1, 2]}'
CHUNKED = b"7\r\n" + BODY[:7] + b"\r\ne\r\n" + BODY[7:] + b"\r\n0\r\n\r\n"
RIGHT = b'{"predictions":[2.5,3.0]}'
OFFERS = {
    "h2c": "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    "websocket": "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
    "TLS": "Upgrade: TLS/1.0\r\nConnection: Upgrade",
}
FRAMES = {
    "length": (f"Content-Length: {len(BODY)}", BODY),
    "chunked": ("Transfer-Encoding: chunked", CHUNKED),
}


@pytest.fixture(scope="module")
def address(models):
    with running(
        f"--model_base_path={models}/half_plus_two", "--rest_api_timeout_in_ms=1000"
    ) as started:
        yield started


@contextlib.contextmanager
def connected(address):
    parts = urlsplit(address.rest)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client


def head(*fields, version="1.1", verb="POST", path=PATH):
    return "\r\n".join([f"{verb} {path} HTTP/{version}", "Host: h", *fields, "", ""]).encode()


def answers(client, pieces, count=1, quiet=0.1):
    """The first `count` answers, and whatever else comes in the quiet time after them."""
    for index, piece in enumerate(pieces):
        time.sleep(0.05 if index else 0)
        client.sendall(piece)
    reader = client.makefile("rb")
    found = [read_answer(reader) for _ in range(count)]
    client.settimeout(quiet)
    with contextlib.suppress(TimeoutError):
        assert reader.read(1) == b"", "a stray answer"
    return found


def read_answer(reader):
    status = int(reader.readline().split()[1])
    fields = {}
    while line := reader.readline().strip():
        name, _, value = line.partition(b": ")
        fields[name.lower()] = value
    return status, fields, reader.read(int(fields[b"content-length"]))


@pytest.mark.parametrize("in_two", [False, True])
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("offer", OFFERS)
def test_an_offered_upgrade_is_declined_and_the_request_answered(address, offer, frame, in_two):
    field, body = FRAMES[frame]
    first = head(OFFERS[offer], field)
    pieces = [first, body] if in_two else [first + body]
    with connected(address) as client:
        for _ in range(2):
            ((status, _, content),) = answers(client, pieces)
            assert (status, content.replace(b" ", b"").replace(b"\n", b"")) == (200, RIGHT)
            client.settimeout(10)


def test_what_follows_a_declined_upgrade_in_the_same_segment_is_answered(address):
    field, body = FRAMES["length"]
    offered, plain = head(OFFERS["h2c"], field), head(field)
    about = head(OFFERS["h2c"], verb="GET", path="/v1/health/live")
    with connected(address) as client:
        pieces = [about + offered + body + plain + body + about]
        found = answers(client, pieces, count=4)
    assert [status for status, _, _ in found] == [200] * 4
    assert [b"predictions" in content for _, _, content in found] == [False, True, True, False]


def test_an_upgrade_offered_byte_by_byte(address):
    field, body = FRAMES["chunked"]
    whole = head(OFFERS["h2c"], field) + body
    with connected(address) as client:
        for start in range(len(whole) - 1):
            client.sendall(whole[start : start + 1])
        ((status, _, content),) = answers(client, [whole[-1:]])
    assert (status, b"3.0" in content) == (200, True)


def test_connect_is_refused(address):
    with connected(address) as client:
        client.sendall(head(OFFERS["h2c"], verb="CONNECT", path="host:80"))
        assert client.recv(100).startswith(b"HTTP/1.1 4")


def test_http_1_0_connections_are_kept_when_the_client_asks(address):
    field, body = FRAMES["length"]
    with connected(address) as client:
        for _ in range(2):
            pieces = [head(field, "Connection: keep-alive", version="1.0") + body]
            ((status, fields, _),) = answers(client, pieces)
            assert (status, fields[b"connection"]) == (200, b"keep-alive")
            client.settimeout(10)
        ((status, fields, _),) = answers(client, [head(field, version="1.0") + body])
        assert (status, fields[b"connection"]) == (200, b"close")
        assert client.recv(1) == b""
