"""Clients that leave before their answer: found out when it takes long, and their runs given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]


class DisconnectedError(Exception):
    """The client went away before its request was answered."""


class GivenUpOnLeaving:
    """Cancels the work inside a `with` when the client leaves; the request's body has been read."""

    # An answer usually comes earlier, and then nothing has been started.
    patience = 1.0

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_left = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._timer = self._loop.call_later(self.patience, self._start)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._has_left and isinstance(error, asyncio.CancelledError):
            raise DisconnectedError

    def _start(self) -> None:
        self._watcher = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._has_left = True
        if self._task is not None:
            self._task.cancel()
