"""The HTTP server: the application on its sockets, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import threading
from email.utils import formatdate
from typing import cast

import uvicorn
from uvicorn.server import ServerState

from serving.access.tls import Tls
from serving.errors import Code, ServingError
from serving.options import Flags, bare_host, host_and_port
from serving.rest.app import RestApp
from serving.rest.connection import Connection
from serving.rest.limits import LINGER_SECONDS, Buffers, Waiting, limits_of

log = logging.getLogger("serving.rest")
# Clients that may knock at the same moment. Between those that are let in, and between those that
# are ended or looked at, in a row, others are answered.
BACKLOG, ACCEPTED_AT_ONCE = 2048, 8
ENDED_AT_ONCE, CHECKED_AT_ONCE = 8, 256
# How often a draining server looks whether it is done.
DRAIN_TICK = 0.05

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class RestServer:
    """The application on a socket, in a thread of its own."""

    def __init__(self, app: RestApp, flags: Flags, tls: Tls | None = None) -> None:
        self.app = app
        self._sockets = bound_sockets(flags.host, flags.rest_api_port)
        self._tls = tls.context() if tls is not None else None
        self._limits = limits_of(flags)
        self._config = uvicorn.Config(
            app, ws="none", lifespan="off", loop="asyncio", log_config=None, access_log=False,
            server_header=False, proxy_headers=False,
        )  # fmt: skip
        self._state, self._waiting = ServerState(), Waiting()
        self._buffers = Buffers(self._limits.buffered_bytes)
        self._started, self._ending = threading.Event(), asyncio.Event()
        self._grace = 0.0
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, daemon=True, name="rest-server")

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = loop = asyncio.get_running_loop()

        def connection() -> Connection:
            return Connection(
                self._config, self._state, self._limits, self._waiting, self._buffers, loop
            )

        times = (self._limits.head_seconds, LINGER_SECONDS) if self._tls else (None, None)
        servers = [
            await loop.create_server(
                connection, sock=bound, ssl=self._tls, backlog=ACCEPTED_AT_ONCE,
                ssl_handshake_timeout=times[0], ssl_shutdown_timeout=times[1],
            )
            for bound in self._sockets
        ]  # fmt: skip
        for bound in self._sockets:
            bound.listen(BACKLOG)  # asyncio takes as many in a row as it is told to let wait
        self._started.set()
        while not self._ending.is_set():
            await self._tick()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._limits.tick)
        for server in servers:
            server.close()
        await self._drain(loop.time() + self._grace)

    async def _tick(self) -> None:
        """What is done now and then: the date for the answers, the clients that are late."""
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        acted = 0
        for index, connection in enumerate(list(self._state.connections)):
            acted += self._check(cast(Connection, connection))
            if acted > ENDED_AT_ONCE or index % CHECKED_AT_ONCE == 0:
                acted = 0
                await asyncio.sleep(0)  # the others' turn

    def _check(self, connection: Connection) -> bool:
        try:
            return connection.check(self._loop.time())
        except Exception:  # one connection's fault must not be the server's
            log.exception("a connection is dropped")
            connection.transport.abort()
            return True

    async def _drain(self, until: float) -> None:
        """Answer what has arrived as a whole; what has not by then is refused."""
        connections = cast("set[Connection]", self._state.connections)
        for connection in list(connections):
            connection.shutdown()
        while connections and self._loop.time() < until:
            await self._tick()
            await asyncio.sleep(DRAIN_TICK)
        for task in list(self._state.tasks):
            task.cancel()  # the application answers that it is stopping
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=DRAIN_TICK)
        for connection in list(connections):
            connection.transport.abort()

    def listen(self) -> str:
        """Accept connections; returns the addresses. Only health and status are answered."""
        if not self._thread.is_alive():
            self._thread.start()
        while not self._started.wait(0.1) and self._thread.is_alive():
            pass
        names = [bound.getsockname() for bound in self._sockets]
        return ", ".join(host_and_port(*name[:2]) for name in names)

    def start(self) -> str:
        """Answer every request from now on; returns the addresses."""
        self.app.ready, self.app.starting = True, False
        return self.listen()

    def stop(self, grace: float) -> None:
        """Answer what is running, for at most `grace` seconds, and take nothing new."""
        self.app.ready = False
        self._grace = grace
        if self._started.is_set() and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
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
