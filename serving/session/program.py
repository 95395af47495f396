"""Running a loaded graph with as little as possible between the request and the session.

Below `Session.run`'s checks of feeds and fetches, whose answers are the same for each request, a
call takes 5 µs on a very small model, and each can have its own options: how long it may take, and
whether the caller's thread runs the operations or hands them to the threads of the pool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session as tf_session

from serving.batching.policy import Limits
from serving.errors import deadline_exceeded
from serving.session import batch_function
from serving.session.threads import Running, Trial

MOST_PROGRAMS = 256
# A deadline this many times the slowest run seen does not need to be watched.
SAFETY = 10.0
FORGET = 0.98
TIMED_OUT = "Timed out waiting for the model; the deadline had passed"

CALLERS_THREAD = -1
GATHERED = True
RUNNING = Running()


def _options(**options: Any) -> Any:
    return tf_session.TF_NewBufferFromString(config_pb2.RunOptions(**options).SerializeToString())


# For as long as the process lives, so never deleted.
IN_POOL, IN_CALLERS_THREAD = _options(), _options(inter_op_thread_pool=CALLERS_THREAD)


class Program:
    """One set of feeds and fetches of a session."""

    def __init__(
        self, session: Any, feeds: Sequence[str], fetches: Sequence[str], waits: bool = False
    ) -> None:
        """`waits`: runs only wait, for what the scheduler's threads do; else they take a core."""
        session._extend_graph()
        graph = session.graph
        unique = sorted(set(fetches))  # a session keeps what it makes for each order
        self._session = session
        self._feeds = [graph.get_tensor_by_name(name)._as_tf_output() for name in feeds]
        self._fetches = [graph.get_tensor_by_name(name)._as_tf_output() for name in unique]
        self._order = [unique.index(name) for name in fetches]
        self._plain = self._order == list(range(len(fetches)))
        self._trial = None if waits else Trial()
        self._slowest: float | None = None

    def run(self, arrays: Sequence[np.ndarray], deadline: float | None) -> list[Any]:
        """Run to the fetched values; `deadline` is on the clock of time.monotonic()."""
        start = time.monotonic()
        if deadline is None or self._is_far(deadline - start):
            values = self._run_freely(arrays)
        else:
            values = self._run_before(arrays, deadline - start)
        took = time.monotonic() - start
        # The first run also prepares the graph, so what was slow once is slowly forgotten.
        self._slowest = max(took, FORGET * (self._slowest or 0.0))
        return values if self._plain else [values[i] for i in self._order]

    def _is_far(self, left: float) -> bool:
        return self._slowest is not None and left > SAFETY * self._slowest

    def _run_freely(self, arrays: Sequence[np.ndarray]) -> list[Any]:
        if self._trial is None:
            return self._call(arrays, IN_CALLERS_THREAD)
        with RUNNING as load:
            free = load.leaves_cores_free
            hand_over = self._trial.hand_over if free else load.overflows
            start = time.perf_counter()
            values = self._call(arrays, IN_POOL if hand_over else IN_CALLERS_THREAD)
            if free:
                self._trial.took(hand_over, time.perf_counter() - start)
            return values

    def _run_before(self, arrays: Sequence[np.ndarray], left: float) -> list[Any]:
        """In the pool, as the caller's thread has to watch the clock."""
        if left <= 0:
            raise deadline_exceeded(TIMED_OUT)
        options = _options(timeout_in_ms=max(1, int(left * 1000)))
        try:
            return self._call(arrays, options)
        finally:
            tf_session.TF_DeleteBuffer(options)

    def _call(self, arrays: Sequence[np.ndarray], options: Any) -> list[Any]:
        feed = dict(zip(self._feeds, arrays, strict=True))
        values: list[Any] = self._session._call_tf_sessionrun(
            options, feed, self._fetches, [], None
        )
        return values


class GraphRunner:
    """A loaded graph and its session; programs are made on first use and kept."""

    def __init__(
        self,
        session: Any,
        parameters: Any | None = None,
        name: str = "model",
        lanes: int = 1,
    ) -> None:
        """`lanes`: how many runs keep all cores busy."""
        self._session = session
        self._programs: dict[Any, Program] = {}
        self._lock = threading.Lock()
        self._batcher = None
        self._company = batch_function.Company()
        # Set for a model that batches: what gathers its requests, by kind of request.
        self.limits: Limits | None = None
        self.gatherings: dict[Any, Any] = {}
        if parameters is not None:
            self._batcher = batch_function.Batcher(session.graph, parameters, name)
            self.limits = Limits.of(parameters, lanes)

    def run(
        self,
        feeds: tuple[str, ...],
        arrays: Sequence[np.ndarray],
        fetches: tuple[str, ...],
        deadline: float | None = None,
    ) -> list[Any]:
        """The values of `fetches` for these feeds, batched with other requests where it can be.

        Args:
            feeds: graph tensor names.
            arrays: one array a feed.
            fetches: graph tensor names.
            deadline: time.monotonic() after which nobody wants the answer.
        """
        if self._batcher is None:
            return self._program((feeds, fetches)).run(arrays, deadline)
        self._batcher.check(arrays)
        with self._company as alone:
            shapes = () if alone else (batch_function.inner_shapes(arrays),)
            return self._program((feeds, fetches, *shapes)).run(arrays, deadline)

    def check(self, arrays: Sequence[np.ndarray]) -> None:
        """Refuse inputs that cannot be part of a batch."""
        if self._batcher is not None:
            self._batcher.check(arrays)

    def run_gathered(
        self,
        feeds: tuple[str, ...],
        arrays: Sequence[np.ndarray],
        fetches: tuple[str, ...],
        deadline: float | None,
        alone: bool,
    ) -> list[Any]:
        """The same for rows that waited for their batch before; `alone` passes the scheduler by."""
        shapes = () if alone else (batch_function.inner_shapes(arrays), GATHERED)
        return self._program((feeds, fetches, *shapes)).run(arrays, deadline)

    def _program(self, key: Any) -> Program:
        program = self._programs.get(key)
        return self._make(key) if program is None else program

    def _make(self, key: Any) -> Program:
        with self._lock:
            program = self._programs.get(key)
            if program is not None:
                return program
            if len(self._programs) >= MOST_PROGRAMS:
                self._programs.pop(next(iter(self._programs)))
            with self._session.graph.as_default():
                program = self._programs[key] = self._build(key)
            return program

    def _build(self, key: Any) -> Program:
        if self._batcher is None or len(key) == 2:
            return Program(self._session, key[0], key[1])
        feeds, fetches = self._batcher.batched(*key)
        return Program(self._session, feeds, fetches, waits=key[-1] is not GATHERED)

    def close(self) -> None:
        """Give the session's memory back; no request may be running."""
        self._programs.clear()
        self.gatherings.clear()
        graph = self._session.graph
        self._session.close()
        del graph
