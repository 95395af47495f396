"""--host: both families on both ports."""

from __future__ import annotations

import socket

import pytest

from serving.client import Client
from serving.errors import ServingError
from serving.options import parse
from serving.rest.server import bound_sockets
from serving.server import ModelServer
from tests.serving import web
from tests.serving.running import free_port

REACHED = {
    "127.0.0.1": ["127.0.0.1", "localhost"],
    "0.0.0.0": ["127.0.0.1", "localhost"],
    "::1": ["[::1]"],
    "[::1]": ["[::1]"],
    "::": ["[::1]", "127.0.0.1", "localhost"],
    "[::]": ["[::1]", "127.0.0.1"],
    "localhost": ["127.0.0.1", "localhost"],
}


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.parametrize("host", REACHED)
def test_a_server_is_reached_by_either_family(models, host):
    assert has_ipv6() or ":" not in host, "this machine has no IPv6: the test cannot run"
    grpc_port, rest_port = free_port(), free_port()
    ports = [f"--port={grpc_port}", f"--rest_api_port={rest_port}", f"--host={host}"]
    base = [f"--model_base_path={models}/text", "--model_name=text", "--drain_seconds=1"]
    server = ModelServer(parse([*ports, *base]))
    try:
        server.start()
        for name in REACHED[host]:
            assert web.get(f"http://{name}:{rest_port}", "/v1/health/ready").status == 200
            for address in (f"{name}:{grpc_port}", f"http://{name}:{rest_port}"):
                client = Client.rest(address) if "http" in address else Client(address)
                with client:
                    assert client.score(["the cat"], model="text")[0].tokens == 3
    finally:
        server.stop()


def test_a_name_of_both_families_binds_both(monkeypatch):
    port = free_port()
    stream = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    both = [
        (socket.AF_INET6, *stream, ("::1", port, 0, 0)),
        (socket.AF_INET, *stream, ("127.0.0.1", port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: both)
    bound = bound_sockets("localhost", port)
    assert [s.getsockname()[0] for s in bound] == ["::1", "127.0.0.1"]
    for s in bound:
        s.close()
    absent = [(socket.AF_INET6, *stream, ("2001:db8::1", port, 0, 0)), both[1]]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: absent)
    (only,) = bound_sockets("localhost", port)
    only.listen()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: both[::-1])
    with pytest.raises(ServingError, match=rf"cannot listen on \[::1\]:{port}: .*in use"):
        bound_sockets("::1", port)
    only.close()


def test_a_host_that_is_none_is_refused():
    with pytest.raises(ServingError, match=r"cannot listen on \[::zz\]:1: "):
        bound_sockets("::zz", 1)
