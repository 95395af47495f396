"""Starting embedded servers in the tests' own process, on free loopback ports."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from serving.options import parse
from serving.server import ModelServer


@dataclass(frozen=True)
class Address:
    """Where a server listens, and the server itself when it runs in this process."""

    grpc: str
    rest: str
    server: Any = None


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Address]:
    """A started server with these flags; ports are chosen."""
    grpc_port, rest_port = free_port(), free_port()
    ports = [f"--port={grpc_port}", f"--rest_api_port={rest_port}"]
    server = ModelServer(parse([*ports, "--drain_seconds=5", *arguments]))
    try:
        server.start()
        yield Address(f"127.0.0.1:{grpc_port}", f"http://127.0.0.1:{rest_port}", server)
    finally:
        server.stop()
