"""A transport whose close lets the client read what was written to it.

Closing a socket while there is unread input resets the connection, and with it goes the answer
that the client has not read yet: a refused request's, of all things. So while the client may be
sending, a close ends our half only; the other half is read and dropped until the client ends it,
or the connection's owner loses patience and aborts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class LingeringTransport:
    """A connection's transport.

    Args:
        transport: asyncio's.
        unread: whether the client may be sending still.
    """

    def __init__(self, transport: asyncio.Transport, unread: Callable[[], bool]) -> None:
        self._transport, self._unread = transport, unread
        self.lingers = False
        self.write = transport.write
        self.abort = transport.abort
        self.get_write_buffer_size = transport.get_write_buffer_size

    def pause_reading(self) -> None:
        """Take nothing from the client for now."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take what the client sends."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """A fact about the connection, such as `peername`."""
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether it will be closed, now or later."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Write what is to be written, and close."""
        if self.is_closing():
            return
        if not self._unread():
            self._transport.close()
        else:
            self.lingers = True
            self._transport.resume_reading()
            if self._transport.can_write_eof():
                self._transport.write_eof()
