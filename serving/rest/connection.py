"""One HTTP connection: uvicorn's, with the corners that clients in the field run into.

- An offer to change the protocol (`Connection: Upgrade`; OpenJDK's HttpClient and `curl --http2`
  offer h2c with every first request) is declined: the request is answered over HTTP/1.1. The
  parser stops behind such a head and would take the body for the new protocol's, so the head is
  read again without its Upgrade field.
- HTTP/1.0 clients that ask for it keep their connection.
- Clients that are slow, silent or greedy are refused (`limits.py`) in words where they can hear
  them: 408, 413, 431 or 503, and a close that does not destroy the answer.
"""

from __future__ import annotations

import asyncio
import enum
import http
from collections.abc import Sequence
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from serving.rest.json_output import error_body
from serving.rest.limits import (
    DISCARD_SECONDS,
    LINGER_SECONDS,
    MOST_PIPELINED,
    STOPPING_SECONDS,
    Buffers,
    Limits,
    Waiting,
)
from serving.rest.lingering import LingeringTransport

KEEP_ALIVE = (b"connection", b"keep-alive")
STOPPING = "the server is stopping"


class Phase(enum.Enum):
    """What a connection waits for."""

    IDLE = "a request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    BUSY = "our answer"


class RefusedError(Exception):
    """Ends the parsing: the client has been answered."""


class Connection(HttpToolsProtocol):
    """A client's connection."""

    transport: LingeringTransport  # type: ignore[assignment]
    _declining = False
    _deaf = False
    _stopping = False

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        limits: Limits,
        waiting: Waiting,
        buffers: Buffers,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self._limits, self._waiting, self._buffers = limits, waiting, buffers
        self._phase, self._since, self._fresh = Phase.IDLE, loop.time(), True
        self._head_bytes = self._body_bytes = self._unsent = 0
        self._unsent_since = self._body_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head, if there is room for one more."""
        lingering = LingeringTransport(transport, self._unread)
        super().connection_made(lingering)  # type: ignore[arg-type]
        full = len(self.connections) > self._limits.connections
        if full and not self._waiting.make_room():
            self._refuse(503, "the server has as many connections as it may")
            return
        self._waiting.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free its place."""
        self._waiting.remove(self)
        self._buffers.release(self)
        super().connection_lost(exc)

    # What comes -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read on; what follows an offer that is declined is HTTP/1.1 still."""
        if self._deaf or self.transport.lingers:
            self._discard()
            return
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
            self._head_bytes = 0
        before, self._head_bytes = self._body_bytes, self._head_bytes + len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            if not self._deaf:
                self._refuse(400, "Invalid HTTP request received.")
            return
        self._measure(before)

    def _measure(self, before: int) -> None:
        """Refuse a head, or what comes between and after a body's chunks, that grows on."""
        if self._phase is Phase.BODY and self._body_bytes != before:
            self._head_bytes = 0
        if self._head_bytes > self._limits.head_bytes and self._phase in (Phase.HEAD, Phase.BODY):
            self._refuse_head()

    def _refuse_head(self) -> None:
        self._refuse(431, f"the request's head is larger than {self._limits.head_bytes} bytes")

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                if not self._declining:
                    return
                data = self._head_without_upgrade() + data[offer.args[0] :]
                self._declining = False
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """A head begins; what came before it in the same piece was not its own."""
        if self._phase is not Phase.HEAD:
            self._enter(Phase.HEAD)
            self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start answering, unless the head is to be read again, or too much is asked."""
        self._declining = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._declining:
            return
        self._check_head()
        super().on_headers_complete()
        self._enter(Phase.BODY)
        self._head_bytes = self._body_bytes = 0
        if self._stopping:
            self.cycle.keep_alive = False
        elif self.parser.get_http_version() == "1.0" and self.parser.should_keep_alive():
            self.cycle.keep_alive = True
            self.cycle.default_headers = [*self.cycle.default_headers, KEEP_ALIVE]

    def _check_head(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._limits.head_bytes:
            self._refuse_head()
            raise RefusedError
        if len(self.pipeline) >= MOST_PIPELINED:
            self._refuse(503, f"more than {MOST_PIPELINED} requests without waiting for an answer")
            raise RefusedError
        for name, value in self.headers:
            if name == b"content-length":
                self._check_body(int(value))

    def _check_body(self, size: int) -> None:
        if size > self._limits.body_bytes:
            self._refuse(413, f"request body is larger than {self._limits.body_bytes} bytes")
            raise RefusedError

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        self._body_since = self.loop.time()
        self._check_body(self._body_bytes)
        if not self.cycle.response_complete:
            self._buffers.add(self, len(body))
            if self._deaf:
                raise RefusedError
        super().on_body(body)

    @property
    def receives(self) -> bool:
        """Whether a body is still coming in."""
        return self._phase is Phase.BODY

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._declining:
            return
        super().on_message_complete()
        self._enter(Phase.IDLE if self.cycle.response_complete else Phase.BUSY)

    def on_response_complete(self) -> None:
        """An answer is written; what else was asked comes next."""
        self._since = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        if self._phase is not Phase.BODY:
            self._buffers.release(self)
        if self._phase is Phase.BUSY:
            self._enter(Phase.IDLE)

    # What does not come -----------------------------------------------------------------------

    def check(self, now: float) -> bool:
        """Refuse or close a connection whose client is late; whether there was need to."""
        waited = now - self._since
        if self.transport.lingers:
            late = waited > (LINGER_SECONDS / 4 if self._stopping else LINGER_SECONDS)
            end = self.transport.abort
        elif self._is_unread_too_long(now):
            late, end = True, self.transport.abort
        elif self._phase is Phase.BODY:
            return self._check_body_in_time(now, waited)
        else:
            return not self._owes() and self._check_head_in_time(waited)
        if late:
            end()
        return late

    def _check_body_in_time(self, now: float, waited: float) -> bool:
        if self.flow.read_paused or self.pipeline:
            self._since = now  # it is we who do not read
            return False
        if self.cycle.response_complete:
            if late := waited > LINGER_SECONDS:
                self.transport.close()
            return late
        if self._stopping and waited > STOPPING_SECONDS:
            self._refuse(503, STOPPING)
        elif self._limits.late(waited, self._body_bytes, now - max(self._since, self._body_since)):
            self._refuse(408, f"the request's body did not arrive within {waited:.0f} s")
        return self._deaf

    def _check_head_in_time(self, waited: float) -> bool:
        limit = self._limits.head_seconds
        if self._phase is Phase.HEAD:
            if late := waited > limit:
                self._refuse(408, f"the request's head did not arrive within {limit:g} s")
        elif late := waited > (limit if self._fresh else self._limits.idle_seconds):
            # In silence: an answer here might be taken for the next request's.
            self.transport.close()
        return late

    def _is_unread_too_long(self, now: float) -> bool:
        """Whether the client does not read its answer."""
        size = self.transport.get_write_buffer_size()
        if self._unsent == 0 or size < self._unsent:
            self._unsent_since = now
        self._unsent = size
        return size > 0 and now - self._unsent_since > self._limits.body_seconds

    def evict(self) -> None:
        """Make room for another client."""
        if self._phase is Phase.IDLE:
            self.transport.close()
        else:
            self._refuse(503, "the server needs the room for other clients")

    def shutdown(self) -> None:
        """Close when what has arrived as a whole is answered."""
        self._stopping = True
        self._since = self.loop.time()
        if self._owes():
            self.cycle.keep_alive = False
        else:
            self.transport.abort() if self._phase is Phase.HEAD else self.transport.close()

    # How it ends ------------------------------------------------------------------------------

    def _enter(self, phase: Phase) -> None:
        self._phase, self._since = phase, self.loop.time()
        if phase is Phase.BUSY:
            self._waiting.remove(self)
        elif phase is not Phase.BODY:
            self._fresh = self._fresh and phase is Phase.HEAD
            self._waiting.add(self)

    def _owes(self) -> bool:
        """Whether a request has no answer yet; its body may still be coming."""
        return self.cycle is not None and not self.cycle.response_complete

    def _unread(self) -> bool:
        """Whether the client may be sending still, so that a sudden close loses the answer."""
        return self._deaf or self._phase in (Phase.HEAD, Phase.BODY)

    def _refuse(self, status: int, reason: str) -> None:
        """Answer the request that is coming in with an error, read no more, and close."""
        self._deaf = True
        self._since = self.loop.time()
        self._waiting.remove(self)
        self._buffers.release(self)
        if self._phase is Phase.HEAD and self._owes():
            # The answers to those before it come first, and are all that is said.
            self.cycle.keep_alive = False
            return
        if self._phase is Phase.BODY:
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._write_error(status, error_body(reason))
        self.transport.close()

    def _write_error(self, status: int, body: bytes) -> None:
        fields: Sequence[tuple[bytes, bytes]] = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        phrase = http.HTTPStatus(status).phrase.encode()
        lines = [b"HTTP/1.1 %d %s" % (status, phrase), *(b"%s: %s" % field for field in fields)]
        self.transport.write(b"\r\n".join([*lines, b"", body]))

    def _discard(self) -> None:
        """Drop what comes, unhurriedly: a client that pours must not take the others' time."""
        self.transport.pause_reading()
        self.loop.call_later(DISCARD_SECONDS, self.transport.resume_reading)

    def eof_received(self) -> Any:
        """The client sends no more; the transport closes."""
        return None
