"""The HTTP server: the application on its sockets, in a thread of its own."""

from __future__ import annotations

import errno
import socket
import threading
import time

import uvicorn

from serving.errors import Code, ServingError
from serving.options import bare_host, host_and_port
from serving.rest.app import RestApp
from serving.rest.connection import Connection

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class RestServer:
    """The application on a socket, in a thread of its own."""

    def __init__(self, app: RestApp, host: str, port: int) -> None:
        self.app = app
        self._sockets = bound_sockets(host, port)
        config = uvicorn.Config(
            app, http=Connection, ws="none", lifespan="off", loop="asyncio",
            log_config=None, access_log=False, server_header=False, timeout_keep_alive=75,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True, name="rest-server")

    def _run(self) -> None:
        self._server.run(sockets=self._sockets)

    def listen(self) -> str:
        """Accept connections; returns the addresses. Only health and status are answered."""
        if not self._thread.is_alive():
            self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        names = [bound.getsockname() for bound in self._sockets]
        return ", ".join(host_and_port(*name[:2]) for name in names)

    def start(self) -> str:
        """Answer every request from now on; returns the addresses."""
        self.app.ready, self.app.starting = True, False
        return self.listen()

    def stop(self, grace: float) -> None:
        """Answer what is running, for at most `grace` seconds, and take nothing new."""
        self.app.ready = False
        self._server.config.timeout_graceful_shutdown = max(1, int(grace))
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(grace + 1)
        self.app.close()


def bound_sockets(host: str, port: int) -> list[socket.socket]:
    """Bound sockets that do not listen yet: clients are refused until the models are there.

    A name such as `localhost` may mean an address of each family; those that this machine has
    are bound.

    Raises:
        ServingError: none is there, or one is taken.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(bare_host(host), port, type=socket.SOCK_STREAM)
        for family, address in dict.fromkeys((family, address) for family, *_, address in found):
            try:
                sockets.append(_bound_to(family, address))
            except OSError as error:
                last = error
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
        if not sockets:
            raise last
    except OSError as error:
        for opened in sockets:
            opened.close()
        where = host_and_port(host, port)
        raise ServingError(Code.UNKNOWN, f"cannot listen on {where}: {error}") from None
    return sockets


def _bound_to(family: int, address: SocketAddress) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's delay off on every connection.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` takes IPv4 too, as in the original.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound
