"""Running a loaded graph with as little as possible between the request and the session.

Below `Session.run`'s checks of feeds and fetches, whose answers are the same for each request, a
call takes 5 µs on a very small model, and each can have its own options: how long it may take, and
whether the caller's thread runs the operations or the threads of the inter-op pool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from serving.codec.tensors import Fetched
from serving.errors import deadline_exceeded
from serving.session.batch_function import Batcher, LoneRequestDetector, Shapes, inner_shapes
from serving.session.limits import Limits
from serving.session.tf_private import SessionCall, passing_run_options, run_options
from serving.session.threads import RunCounter, ThreadChoice

MOST_PROGRAMS = 256
# A deadline this many times the slowest run seen does not need to be watched.
FAR_DEADLINE = 10.0
DECAY = 0.98
TIMED_OUT = "Timed out waiting for the model; the deadline had passed"

CALLERS_THREAD = -1
RUNS = RunCounter()

# For as long as the process lives, so never deleted.
IN_POOL, IN_CALLERS_THREAD = run_options(), run_options(inter_op_thread_pool=CALLERS_THREAD)


class Program:
    """One set of feeds and fetches of a session."""

    def __init__(
        self,
        session: tf.compat.v1.Session,
        feeds: Sequence[str],
        fetches: Sequence[str],
        waits: bool = False,
    ) -> None:
        """`waits`: runs only wait, for what the scheduler's threads do; else they take a core."""
        unique = sorted(set(fetches))  # a session keeps what it makes for each order
        self._call = SessionCall(session, feeds, unique)
        self._order = [unique.index(name) for name in fetches]
        self._is_in_order = self._order == list(range(len(fetches)))
        self._choice = None if waits else ThreadChoice()
        self._slowest: float | None = None

    def run(self, arrays: Sequence[np.ndarray], deadline: float | None) -> list[Fetched]:
        """Run to the fetched values; `deadline` is on the clock of time.monotonic()."""
        start = time.monotonic()
        if deadline is None or self._is_far(deadline - start):
            values = self._run_unwatched(arrays)
        else:
            values = self._run_before(arrays, deadline - start)
        took = time.monotonic() - start
        # The first run also prepares the graph, so what was slow once is slowly forgotten.
        self._slowest = max(took, DECAY * (self._slowest or 0.0))
        return values if self._is_in_order else [values[i] for i in self._order]

    def _is_far(self, left: float) -> bool:
        return self._slowest is not None and left > FAR_DEADLINE * self._slowest

    def _run_unwatched(self, arrays: Sequence[np.ndarray]) -> list[Fetched]:
        if self._choice is None:
            return self._call(arrays, IN_CALLERS_THREAD)
        with RUNS as concurrency:
            free = concurrency.leaves_cores_free
            in_pool = self._choice.in_pool if free else concurrency.overflows
            start = time.perf_counter()
            values = self._call(arrays, IN_POOL if in_pool else IN_CALLERS_THREAD)
            if free:
                self._choice.record(in_pool, time.perf_counter() - start)
            return values

    def _run_before(self, arrays: Sequence[np.ndarray], left: float) -> list[Fetched]:
        """In the pool, as the caller's thread has to watch the clock."""
        if left <= 0:
            raise deadline_exceeded(TIMED_OUT)
        with passing_run_options(timeout_in_ms=max(1, int(left * 1000))) as options:
            return self._call(arrays, options)


class ProgramKey(NamedTuple):
    """What a program is made for; `shapes` are None where TensorFlow's scheduler is bypassed."""

    feeds: tuple[str, ...]
    fetches: tuple[str, ...]
    shapes: Shapes | None = None
    # The rows are a batch already, so the scheduler need not wait for more.
    prebatched: bool = False


class GraphRunner:
    """A loaded graph and its session; programs are made on first use and kept."""

    def __init__(
        self,
        session: tf.compat.v1.Session,
        parameters: Any | None = None,
        name: str = "model",
        parallel_batches: int = 1,
    ) -> None:
        """`parallel_batches`: how many runs keep all cores busy."""
        self._session = session
        self._programs: dict[ProgramKey, Program] = {}
        self._lock = threading.Lock()
        self._batcher: Batcher | None = None
        self._lone_requests = LoneRequestDetector()
        self.limits: Limits | None = None  # set for a model that batches
        if parameters is not None:
            self._batcher = Batcher(session.graph, parameters, name)
            self.limits = Limits.of(parameters, parallel_batches)

    def run(
        self,
        feeds: tuple[str, ...],
        arrays: Sequence[np.ndarray],
        fetches: tuple[str, ...],
        deadline: float | None = None,
    ) -> list[Fetched]:
        """The values of `fetches` for these feeds, batched with other requests where it can be.

        Args:
            feeds: graph tensor names.
            arrays: one array a feed.
            fetches: graph tensor names.
            deadline: time.monotonic() after which nobody wants the answer.
        """
        if self._batcher is None:
            return self._program(ProgramKey(feeds, fetches)).run(arrays, deadline)
        self._batcher.check(arrays)
        with self._lone_requests as alone:
            shapes = None if alone else inner_shapes(arrays)
            return self._program(ProgramKey(feeds, fetches, shapes)).run(arrays, deadline)

    def check(self, arrays: Sequence[np.ndarray]) -> None:
        """Refuse inputs that cannot be part of a batch."""
        if self._batcher is not None:
            self._batcher.check(arrays)

    def run_batch(
        self,
        feeds: tuple[str, ...],
        arrays: Sequence[np.ndarray],
        fetches: tuple[str, ...],
        deadline: float | None,
        alone: bool,
    ) -> list[Fetched]:
        """The same for rows that were batched before; `alone` bypasses the scheduler."""
        shapes = None if alone else inner_shapes(arrays)
        return self._program(ProgramKey(feeds, fetches, shapes, not alone)).run(arrays, deadline)

    def _program(self, key: ProgramKey) -> Program:
        program = self._programs.get(key)
        return self._make(key) if program is None else program

    def _make(self, key: ProgramKey) -> Program:
        with self._lock:
            program = self._programs.get(key)
            if program is not None:
                return program
            if len(self._programs) >= MOST_PROGRAMS:
                self._programs.pop(next(iter(self._programs)))
            with self._session.graph.as_default():
                program = self._programs[key] = self._build(key)
            return program

    def _build(self, key: ProgramKey) -> Program:
        if self._batcher is None or key.shapes is None:
            return Program(self._session, key.feeds, key.fetches)
        feeds, fetches = self._batcher.batched(key.feeds, key.fetches, key.shapes, key.prebatched)
        return Program(self._session, feeds, fetches, waits=not key.prebatched)

    def close(self) -> None:
        """Give the session's memory back; no request may be running."""
        self._programs.clear()
        graph = self._session.graph
        self._session.close()
        del graph
