"""The requests that may share a batch, while they wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from serving.batching.policy import LATER, BatchPolicy
from serving.errors import Code, ServingError
from serving.session.gathering import FULL
from serving.session.limits import Limits


class Waiting(Protocol):
    """A request that waits for a batch."""

    rows: int


class Timer(Protocol):
    """A call that an event loop will make, unless it is cancelled."""

    def cancel(self) -> None: ...


class Loop(Protocol):
    """As much of an event loop as a queue uses."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer: ...


Start = Callable[["BatchQueue", list[Any], bool], None]


class BatchQueue:
    """The waiting requests of one kind, which may share a batch; used in its event loop only."""

    def __init__(self, loop: Loop, limits: Limits, start: Start) -> None:
        """`start` gets each batch and whether nothing else runs; in the end it calls `finished`."""
        self._loop, self._limits, self._start = loop, limits, start
        self._policy = BatchPolicy(limits)
        self._waiting: list[Waiting] = []
        self._timer: Timer | None = None
        self._timer_at = LATER

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self._waiting and not self._policy.running

    def add(self, request: Waiting) -> None:
        """Let a request wait, and start what is due.

        Raises:
            ServingError: UNAVAILABLE when as many batches wait as may.
        """
        if self._policy.running >= self._limits.threads + self._limits.queue:
            raise ServingError(Code.UNAVAILABLE, FULL)
        self._waiting.append(request)
        self._policy.enqueued(request.rows, self._loop.time())
        self._start_due()

    def remove(self, request: Waiting) -> bool:
        """Let a request wait no longer; False when its batch has started."""
        if request not in self._waiting:
            return False
        self._waiting.remove(request)
        self._policy.cancelled(request.rows)
        self._start_due()
        return True

    def finished(self, batch: list[Any], seconds: float) -> None:
        """A batch is answered."""
        self._policy.finished(len(batch), seconds, self._loop.time())
        self._start_due()

    def _start_due(self) -> None:
        while (due := self._policy.due()) <= self._loop.time():
            batch = self._next_batch()
            alone = len(batch) == 1 and not self._policy.running
            self._policy.started(len(batch), sum(r.rows for r in batch), self._loop.time())
            self._start(self, batch, alone)
        if due != self._timer_at:
            self._set_timer(due)

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._loop.call_at(due, self._on_timer) if due < LATER else None

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, LATER
        self._start_due()

    def _next_batch(self) -> list[Waiting]:
        """The longest-waiting requests that fit into a batch; at least one."""
        count = rows = 0
        for request in self._waiting[: self._policy.share]:
            if count and rows + request.rows > self._limits.rows:
                break
            count, rows = count + 1, rows + request.rows
        count = self._limits.run_now([request.rows for request in self._waiting[:count]])
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch
