"""Who waits for what a thread computes: known to the thread, so that a run can be given up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Waiter(Protocol):
    """Whoever waits."""

    @property
    def gone(self) -> bool: ...


class Request(Waiter, Protocol):
    """A request of several that share a run."""

    @property
    def deadline(self) -> float | None: ...


class Caller:
    """A client's call."""

    __slots__ = ("gone",)

    def __init__(self) -> None:
        self.gone = False


def is_past(deadline: float | None, now: float) -> bool:
    """Whether there is a deadline and it has passed; both are on time.monotonic()'s clock."""
    return deadline is not None and deadline <= now


def time_left(deadline: float | None) -> float | None:
    """Seconds until a deadline, None without one."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def is_unwanted(request: Request, now: float) -> bool:
    """Whether a request was given up or is past its deadline."""
    return request.gone or is_past(request.deadline, now)


class Together:
    """The requests of a batch: gone when none of them is wanted any more.

    Also when some have been unwanted for a while and the run still goes on: perhaps it would end
    but for them, and the others can be run again without them.
    """

    patience = 2.0

    def __init__(self, requests: Sequence[Request]) -> None:
        self._requests = requests
        self._since: float | None = None  # some are unwanted

    @property
    def gone(self) -> bool:
        """Whether the run is to end."""
        now = time.monotonic()
        unwanted = sum(is_unwanted(request, now) for request in self._requests)
        if not unwanted:
            return False
        if self._since is None:
            self._since = now
        return unwanted == len(self._requests) or now - self._since >= self.patience


class _OfThread(threading.local):
    waiter: Waiter | None = None


_of_thread = _OfThread()


def current() -> Waiter | None:
    """Who waits for what this thread computes, if that is known."""
    return _of_thread.waiter


def on_behalf_of(waiter: Waiter, work: Callable[..., T], *args: Any) -> T:
    """Call `work` for somebody who may give it up."""
    before = _of_thread.waiter
    _of_thread.waiter = waiter
    try:
        return work(*args)
    finally:
        _of_thread.waiter = before


async def in_thread(threads: Executor, work: Callable[..., T], *args: Any) -> T:
    """Call `work` in a thread; cancelling this gives up the run that the thread waits for."""
    caller = Caller()
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(threads, on_behalf_of, caller, work, *args)
    except asyncio.CancelledError:
        caller.gone = True
        raise
