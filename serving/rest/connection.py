"""One HTTP connection: uvicorn's, with the corners that clients in the field run into.

- An offer to change the protocol (`Connection: Upgrade`; OpenJDK's HttpClient and `curl --http2`
  offer h2c with every first request) is declined: the request is answered over HTTP/1.1. The
  parser stops behind such a head and would take the body for the new protocol's, so the head is
  read again without its Upgrade field.
- HTTP/1.0 clients that ask for it keep their connection.
- A connection that sends no head, or half of one, is closed after a while.
"""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KEEP_ALIVE = (b"connection", b"keep-alive")


class Connection(HttpToolsProtocol):
    """A client's connection."""

    # How long a request's head may take to arrive.
    head_seconds = 60.0
    _declining = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what follows an offer that is declined is HTTP/1.1 still."""
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self._head_timer is None and self._is_idle():
            self._await_head()

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

    def on_headers_complete(self) -> None:
        """Start answering, unless the head is to be read again."""
        self._head_came()
        self._declining = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._declining:
            return
        super().on_headers_complete()
        if self.parser.get_http_version() == "1.0" and self.parser.should_keep_alive():
            self.cycle.keep_alive = True
            self.cycle.default_headers = [*self.cycle.default_headers, KEEP_ALIVE]

    def on_message_complete(self) -> None:
        """The request is whole."""
        if not self._declining:
            super().on_message_complete()

    def _is_idle(self) -> bool:
        """Whether the last thing that came is the beginning of a head."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self.timeout_keep_alive_task is None

    def _await_head(self) -> None:
        if not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
