"""When a batch of the requests that wait in an event loop starts.

A session call that waits for its batch needs a thread of its own, and handling a request in
Python costs more the more threads take part. So requests that come by an event loop wait as
objects here and one thread runs a whole batch. Of a model that uses one core a run as many batches
run side by side as there are cores, each with its share of the requests.

The batching file's timeout counts from the moment the model is free, not from the first request:
clients that were just answered then come back into the same batch, where they would settle into
batches that are half full. Nobody waits for clients that are not there: a batch starts as soon as
it holds as many requests as there were at once of late, and a lone request starts at once.
"""

from __future__ import annotations

import math

from serving.session.limits import Limits

NOW, LATER = -math.inf, math.inf
# A batch that is only part full waits this many typical runs for the one that is running.
RUNS_TO_WAIT = 2.0
SMOOTHING = 0.7


class BatchPolicy:
    """Decides when a batch starts, from what was enqueued, started and finished, and when."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.waiting = self.rows = self.running = 0
        self._in_flight = self._peak = self._expected = 0
        self._first_enqueued = self._free_since = 0.0
        self._typical_seconds = 0.0

    def enqueued(self, rows: int, now: float) -> None:
        """A request waits."""
        if not self.waiting:
            self._first_enqueued = now
        self.waiting += 1
        self.rows += rows
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)

    def started(self, requests: int, rows: int, now: float) -> None:
        """A batch of waiting requests runs."""
        self._expected, self._peak = self._peak, self._in_flight
        self.running += 1
        self.waiting -= requests
        self.rows -= rows
        self._first_enqueued = now

    def finished(self, requests: int, seconds: float, now: float) -> None:
        """A batch is answered."""
        self.running -= 1
        self._in_flight -= requests
        self._free_since = now
        typical = self._typical_seconds
        self._typical_seconds = seconds + SMOOTHING * (typical - seconds) if typical else seconds

    def cancelled(self, rows: int) -> None:
        """A request no longer waits."""
        self.waiting -= 1
        self.rows -= rows
        self._in_flight -= 1

    @property
    def share(self) -> int:
        """How many of the requests that there are go into one of the parallel batches."""
        return -(-max(self._expected, self._in_flight) // self._limits.parallel_batches)

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
            return self._first_enqueued + limits.timeout + RUNS_TO_WAIT * self._typical_seconds
        being_answered = self._in_flight - self.waiting
        if self.waiting >= min(self._expected - being_answered, self.share):
            return NOW
        return max(self._first_enqueued, self._free_since) + limits.timeout
