"""Clients that are slow, silent or greedy, and the answer that each of them gets."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

import pytest

from serving.options import parse
from serving.rest import limits
from serving.rest.connection import Connection
from tests.serving import web
from tests.serving.rest.test_connection import BODY, PATH, head, read_answer
from tests.serving.running import running

LONG = b'{"instances": [2000000000]}'  # turns of a loop
LENGTH = f"Content-Length: {len(BODY)}"


@pytest.fixture(scope="module")
def address(models):
    """A server that waits for nobody and takes little."""
    with running(
        f"--model_base_path={models}/half_plus_two",
        "--rest_api_max_header_bytes=4096",
        "--rest_api_header_timeout_in_ms=200",
        "--rest_api_body_timeout_in_ms=200",
        "--rest_api_keep_alive_in_ms=300",
        "--rest_api_max_body_bytes=300000",
        "--rest_api_max_connections=20",
    ) as started:
        yield started


@contextlib.contextmanager
def connected(address, receive_buffer=None):
    parts = urlsplit(address.rest)
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    with client:
        client.settimeout(10)
        client.connect((parts.hostname, parts.port))
        yield client


def answer(client):
    """The answer, and whether the connection is closed in good order after it."""
    reader = client.makefile("rb")
    status, fields, body = read_answer(reader)
    assert fields[b"connection"] == b"close"
    assert reader.read() == b""
    return status, body


def good(address):
    return web.post(address.rest, PATH, BODY).status


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: h\r\nX-Half", 408),
        (head(LENGTH), 408),
        (head(LENGTH) + BODY[:5], 408),
        (head("Transfer-Encoding: chunked") + b"5\r\n" + BODY[:5], 408),
        (head("Content-Length: 300000") + b" " * 250_000, 408),
        (head("X: " + "x" * 5000), 431),
        (b"GET /" + b"x" * 5000, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 5000, 431),
        (b"\r\n" * 5000, 431),
        (head("Content-Length: 400000"), 413),
        (head("Content-Length: 400000") + b"x" * 400_000, 413),
        (head("Transfer-Encoding: chunked") + b"61A80\r\n" + b"x" * 400_000, 413),
        (head("Transfer-Encoding: chunked") + b"0\r\nX-Trailer: " + b"x" * 9_000, 431),
        (head("Transfer-Encoding: chunked") + b"5;" + b"x" * 9_000, 431),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_who_asks_too_slowly_or_for_too_much_is_told(address, sent, status):
    with connected(address) as client:
        client.sendall(sent[: len(sent) // 2])
        time.sleep(0.02)
        client.sendall(sent[len(sent) // 2 :])
        told, body = answer(client)
    assert told == status
    assert b'"error": ' in body
    assert good(address) == 200


def test_a_head_of_the_largest_size_is_read(address):
    with connected(address) as client:
        client.sendall(head("X: " + "x" * 3900, LENGTH) + BODY)
        assert read_answer(client.makefile("rb"))[0] == 200


def test_the_head_of_a_request_behind_a_long_body_is_not_measured_with_it(address):
    long = BODY[:-1] + b" " * 200_000 + b"}"
    both = head(f"Content-Length: {len(long)}") + long + head(LENGTH) + BODY
    with connected(address) as client:
        client.sendall(both)
        reader = client.makefile("rb")
        assert [read_answer(reader)[0] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("asked", [b"", head(LENGTH) + BODY])
def test_a_silent_connection_is_closed_without_a_word(address, asked):
    with connected(address) as client:
        client.sendall(asked)
        reader = client.makefile("rb")
        if asked:
            assert read_answer(reader)[0] == 200
        start = time.monotonic()
        assert reader.read() == b""
        assert time.monotonic() - start < 5


def test_half_a_head_after_an_answer_is_refused(address):
    with connected(address) as client:
        client.sendall(head(LENGTH) + BODY + b"POST /v1")
        assert read_answer(client.makefile("rb", 0))[0] == 200
        assert answer(client)[0] == 408


def test_a_body_that_keeps_coming_is_waited_for(address, monkeypatch):
    """A second for each KiB: here for each byte."""
    monkeypatch.setattr(limits, "BYTES_A_SECOND", 1)
    with connected(address) as client:
        client.sendall(head(LENGTH))
        for start in range(len(BODY)):
            time.sleep(0.025)
            client.sendall(BODY[start : start + 1])
        assert read_answer(client.makefile("rb"))[0] == 200


def test_a_client_that_does_not_read_its_answer_is_dropped(models):
    with running(
        f"--model_base_path={models}/half_plus_two", "--rest_api_body_timeout_in_ms=200"
    ) as address:
        for bound in address.server._rest._sockets:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        body = b'{"instances": [%s]}' % b",".join([b"1.5"] * 200_000)
        with connected(address, receive_buffer=4096) as client:
            client.sendall(head(f"Content-Length: {len(body)}") + body)
            wait_for_connections(address, 1)
            assert eventually(lambda: not connections(address))


def connections(address):
    return list(address.server._rest._state.connections)


def wait_for_connections(address, count):
    assert eventually(lambda: len(connections(address)) == count)
    return connections(address)


def eventually(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_silent_clients_make_room_for_others(address):
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(connected(address))
        assert [good(address) for _ in range(5)] == [200] * 5
        assert len(connections(address)) <= 20


def test_half_sent_requests_make_room_for_others(address):
    with contextlib.ExitStack() as stack:
        for index in range(50):
            client = stack.enter_context(connected(address))
            client.sendall(head(LENGTH) if index % 2 else b"GET /")
        assert [good(address) for _ in range(5)] == [200] * 5


def test_the_greediest_makes_room_for_others(models):
    """Of 10,000 bytes for all bodies, a small one has 4,000 and a large one wants 8,000."""
    flags = (f"--model_base_path={models}/half_plus_two", "--rest_api_max_buffered_bytes=10000")
    with running(*flags) as address, connected(address) as small, connected(address) as large:
        for client in (small, large):
            client.sendall(head("Content-Length: 8000") + BODY[:-1] + b" " * (4000 - len(BODY)))
            time.sleep(0.05)
        large.sendall(b" " * 3000)
        assert answer(large)[0] == 503
        small.sendall(b" " * 4000 + BODY[-1:])
        assert read_answer(small.makefile("rb"))[0] == 200
        assert good(address) == 200
        assert eventually(lambda: address.server._rest._buffers._total == 0)


def test_when_every_connection_is_busy_the_next_is_refused(models):
    flags = ("--rest_api_max_connections=2", "--rest_api_timeout_in_ms=1000")
    base = f"--model_base_path={models}/loop"
    with running(base, *flags) as address, contextlib.ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(connected(address))
            client.sendall(head(f"Content-Length: {len(LONG)}") + LONG)
        wait_for_connections(address, 2)
        assert eventually(lambda: all(c._phase.name == "BUSY" for c in connections(address)))
        with connected(address) as third:
            assert answer(third)[0] == 503


def test_requests_without_end_on_one_connection_are_cut(address):
    asks = head(verb="GET", path="/v1/health/live") * 3000
    with connected(address) as client:
        client.sendall(asks)
        reader = client.makefile("rb")
        statuses = []
        with contextlib.suppress(IndexError, ConnectionError):
            while True:
                statuses.append(read_answer(reader)[0])
    assert set(statuses) == {200}
    assert len(statuses) <= limits.MOST_PIPELINED + 1


@pytest.mark.parametrize("sent", [head(LENGTH), head(LENGTH) + BODY[:5], b"GET /", b""])
def test_half_a_request_does_not_hold_up_the_end(models, sent, caplog, capfd):
    flags = (f"--model_base_path={models}/half_plus_two", "--drain_seconds=20")
    with caplog.at_level(logging.INFO), running(*flags) as address, connected(address) as client:
        client.sendall(sent)
        wait_for_connections(address, 1)
        start = time.monotonic()
        address.server.stop()
        assert time.monotonic() - start < 4
        if LENGTH.encode() in sent:
            status, body = answer(client)
            assert (status, b"stopping" in body) == (503, True)
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


def test_a_body_on_its_way_when_the_server_stops_is_answered(models):
    flags = (f"--model_base_path={models}/half_plus_two", "--drain_seconds=20")
    with running(*flags) as address, connected(address) as client:
        client.sendall(head(LENGTH) + BODY[:5])
        wait_for_connections(address, 1)
        stop = threading.Thread(target=address.server.stop)
        stop.start()
        time.sleep(0.3)
        client.sendall(BODY[5:])
        assert answer(client)[0] == 200
        stop.join()


def test_a_run_that_outlasts_the_drain_is_answered_too(models, caplog):
    flags = ("--drain_seconds=1", "--rest_api_timeout_in_ms=2500")
    base = f"--model_base_path={models}/loop"
    with running(base, *flags) as address, connected(address) as client:
        client.sendall(head(f"Content-Length: {len(LONG)}") + LONG)
        (connection,) = wait_for_connections(address, 1)
        assert eventually(lambda: connection._phase.name == "BUSY")
        address.server.stop()
        assert answer(client)[0] == 503
    assert "Traceback" not in caplog.text


def test_the_limits_have_defaults():
    found = limits.limits_of(parse([]))
    assert (found.head_bytes, found.body_bytes) == (64 << 10, 1 << 31)
    assert (found.head_seconds, found.body_seconds, found.idle_seconds) == (30, 60, 75)
    assert 0 < found.connections <= 4096


def test_a_tls_client_that_never_shakes_hands_is_dropped(models, tls_files):
    path, trust = tls_files
    hurry = ("--rest_api_header_timeout_in_ms=200", "--rest_api_body_timeout_in_ms=200")
    flags = (f"--ssl_config_file={path}", *hurry)
    with running(f"--model_base_path={models}/half_plus_two", *flags) as address:
        with connected(address) as client:
            assert client.recv(1) == b""
        context = ssl.create_default_context(cafile=trust)
        with (
            connected(address) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(head(LENGTH) + BODY[:5])
            assert answer(client)[0] == 408


def test_a_connection_that_cannot_be_checked_is_dropped_alone(address, monkeypatch, caplog):
    monkeypatch.setattr(Connection, "check", lambda self, now: 1 // 0)
    with connected(address) as client:
        assert client.recv(1) == b""
    monkeypatch.undo()
    assert "a connection is dropped" in caplog.text
    assert good(address) == 200
