"""Requests of threads that wait for each other: the first leads the batch, the others join it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from serving.codec.tensors import Fetched
from serving.errors import Code, ServingError, deadline_exceeded
from serving.session.callers import Together, Waiter, on_behalf_of, time_left
from serving.session.limits import Limits
from serving.session.sharing import TIMED_OUT, Outcome, SharedRuns
from serving.session.verdicts import Ends

FULL = "The batch scheduling queue to which this task was submitted is full"
Shapes = tuple[tuple[int, ...], ...]
BatchKey = tuple[Ends, Shapes]


def inner_shapes(arrays: Sequence[np.ndarray]) -> Shapes:
    """Every input's shape without its first dimension."""
    return tuple(array.shape[1:] for array in arrays)


@dataclass
class Waiting:
    """A request in a batch."""

    arrays: list[np.ndarray]
    rows: int
    deadline: float | None
    waiter: Waiter | None = None

    @property
    def gone(self) -> bool:
        """Whether its client is."""
        return self.waiter is not None and self.waiter.gone


@dataclass
class Batch:
    """Requests with equal inner shapes, until they are run."""

    requests: list[Waiting] = field(default_factory=list)
    rows: int = 0
    full: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    outcomes: Sequence[Outcome] = ()


class ThreadBatches:
    """Gathers requests whose threads call at the same time."""

    def __init__(self, shared: SharedRuns, limits: Limits) -> None:
        self._shared, self._limits = shared, limits
        self._lock = threading.Lock()
        self._open: dict[BatchKey, Batch] = {}
        self._count = 0

    def run(self, ends: Ends, request: Waiting) -> Sequence[Fetched]:
        """The request's values.

        Raises:
            ServingError: UNAVAILABLE when as many batches wait as may; DEADLINE_EXCEEDED.
        """
        key = (ends, inner_shapes(request.arrays))
        batch, place = self._join(key, request)
        if place == 0:
            self._lead(key, batch)
        elif not batch.done.wait(time_left(request.deadline)):
            raise deadline_exceeded(TIMED_OUT)
        outcome = batch.outcomes[place]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _join(self, key: BatchKey, request: Waiting) -> tuple[Batch, int]:
        """The batch of a request, and which of its requests it is."""
        with self._lock:
            batch = self._open.get(key)
            if batch is not None and batch.rows + request.rows > self._limits.rows:
                batch.full.set()
                batch = None
            if batch is None:
                if self._count >= self._limits.threads + self._limits.queue:
                    raise ServingError(Code.UNAVAILABLE, FULL)
                self._count += 1
                batch = self._open[key] = Batch()
            batch.requests.append(request)
            batch.rows += request.rows
            if batch.rows >= self._limits.rows:
                batch.full.set()
                del self._open[key]
            return batch, len(batch.requests) - 1

    def _lead(self, key: BatchKey, batch: Batch) -> None:
        """Wait for company, then run the batch for all."""
        left = time_left(batch.requests[0].deadline)
        batch.full.wait(self._limits.timeout if left is None else min(left, self._limits.timeout))
        with self._lock:
            if self._open.get(key) is batch:
                del self._open[key]
        try:
            run, waiters = self._shared.run, Together(batch.requests)
            batch.outcomes = on_behalf_of(waiters, run, key[0], batch.requests)
        except BaseException as caught:
            batch.outcomes = [caught] * len(batch.requests)
        finally:
            with self._lock:
                self._count -= 1
            batch.done.set()
