"""When to run what waits: gathering the requests of an event loop into whole batches.

A session call that waits for its batch needs a thread of its own, and handling a request in
Python costs more the more threads take part. So requests that come by an event loop wait as
objects here and one thread hands a gathered batch to TensorFlow's scheduler, which pads, splits,
queues and runs it. A model that uses one core a run has as many lanes as there are cores: batches
that run side by side, each with its share of the requests.

The batching file's timeout counts from the moment the model is free, not from the first request:
clients that were just answered then come back into the same batch, where they would settle into
batches that are half full. Nobody waits for clients that are not there: a batch starts as soon as
it holds as many requests as there were at once of late, and a lone request starts at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from serving.errors import Code, ServingError
from serving.session.limits import Limits

NOW, LATER = -math.inf, math.inf
# A batch that is only part full waits this many usual runs for the one that is running.
PATIENCE = 2.0
REMEMBER = 0.7
FULL = "The batch scheduling queue to which this task was submitted is full"


class Policy:
    """Decides when a batch starts, from what came, started and ended, and when."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.waiting = self.rows = self.running = 0
        self._inside = self._peak = self._expected = 0
        self._first = self._free_since = 0.0
        self._usual = 0.0

    def came(self, rows: int, now: float) -> None:
        """A request waits."""
        if not self.waiting:
            self._first = now
        self.waiting += 1
        self.rows += rows
        self._inside += 1
        self._peak = max(self._peak, self._inside)

    def started(self, requests: int, rows: int, now: float) -> None:
        """A batch of waiting requests was handed over."""
        self._expected, self._peak = self._peak, self._inside
        self.running += 1
        self.waiting -= requests
        self.rows -= rows
        self._first = now

    def ended(self, requests: int, took: float, now: float) -> None:
        """A batch is answered."""
        self.running -= 1
        self._inside -= requests
        self._free_since = now
        self._usual = took + REMEMBER * (self._usual - took) if self._usual else took

    def gave_up(self, rows: int) -> None:
        """A request no longer waits."""
        self.waiting -= 1
        self.rows -= rows
        self._inside -= 1

    @property
    def share(self) -> int:
        """How many requests a lane gets of those that there are."""
        return -(-max(self._expected, self._inside) // self._limits.parallel_batches)

    def due(self) -> float:
        """The time at which the next batch starts, as far as is known now."""
        limits = self._limits
        if not self.waiting:
            return LATER
        if self.rows >= limits.rows:
            return NOW
        if self.running >= limits.threads:
            return LATER
        if self.running >= limits.parallel_batches:
            return self._first + limits.timeout + PATIENCE * self._usual
        being_answered = self._inside - self.waiting
        if self.waiting >= min(self._expected - being_answered, self.share):
            return NOW
        return max(self._first, self._free_since) + limits.timeout


class Waiting(Protocol):
    """A request that waits for a batch."""

    rows: int


class Loop(Protocol):
    """As much of an event loop as gathering uses."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Any: ...


Start = Callable[["Gathering", list[Any], bool], None]


class Gathering:
    """The waiting requests of one kind, which may share a batch; used in its event loop only."""

    def __init__(self, loop: Loop, limits: Limits, start: Start) -> None:
        """`start` gets each batch and whether nothing else runs; in the end it calls `ended`."""
        self._loop, self._limits, self._start = loop, limits, start
        self._policy = Policy(limits)
        self._waiting: list[Waiting] = []
        self._timer: Any = None
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
        self._policy.came(request.rows, self._loop.time())
        self._start_due()

    def remove(self, request: Waiting) -> bool:
        """Let a request wait no longer; False when its batch has started."""
        if request not in self._waiting:
            return False
        self._waiting.remove(request)
        self._policy.gave_up(request.rows)
        self._start_due()
        return True

    def ended(self, batch: list[Any], took: float) -> None:
        """A batch is answered."""
        self._policy.ended(len(batch), took, self._loop.time())
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
        """The longest-waiting requests that fit into a lane's batch; at least one."""
        count = rows = 0
        for request in self._waiting[: self._policy.share]:
            if count and rows + request.rows > self._limits.rows:
                break
            count, rows = count + 1, rows + request.rows
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch
