"""Running a loaded graph with as little as possible between the request and the session.

A session's callable, made once for the tensors that a signature feeds and fetches, takes 71 µs
where `Session.run` takes 362 µs on the same small model. It has no timeout, so a request whose
deadline may be too short for the model runs through `Session.run`, which can be given one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session as tf_session

from serving import batching
from serving.errors import deadline_exceeded
from serving.gathering import Limits

MOST_PROGRAMS = 256
# A deadline this many times the slowest run seen is safe to leave to the callable.
SAFETY = 10.0
FORGET = 0.98
TIMED_OUT = "Timed out waiting for the model; the deadline had passed"

CALLERS_THREAD = -1
GATHERED = True


class Program:
    """One set of feeds and fetches of a session."""

    def __init__(
        self, session: Any, feeds: Sequence[str], fetches: Sequence[str], hand_over: bool = True
    ) -> None:
        self._session = session
        self._feeds = list(feeds)
        self._fetches = list(dict.fromkeys(fetches))
        self._order = [self._fetches.index(name) for name in fetches]
        self._plain = self._order == list(range(len(fetches)))
        options = config_pb2.CallableOptions(feed=self._feeds, fetch=self._fetches)
        if not hand_over:
            options.run_options.inter_op_thread_pool = CALLERS_THREAD
        self._call = session._make_callable_from_options(options)
        self._slowest: float | None = None

    def run(self, arrays: Sequence[np.ndarray], deadline: float | None) -> list[Any]:
        """Run to the fetched values; `deadline` is on the clock of time.monotonic()."""
        start = time.monotonic()
        if deadline is None:
            values = self._call(*arrays)
        else:
            values = self._run_before(arrays, deadline, start)
        took = time.monotonic() - start
        # The first run also prepares the graph, so what was slow once is slowly forgotten.
        self._slowest = max(took, FORGET * (self._slowest or 0.0))
        return values if self._plain else [values[i] for i in self._order]

    def _run_before(self, arrays: Sequence[np.ndarray], deadline: float, start: float) -> Any:
        left = deadline - start
        if left <= 0:
            raise deadline_exceeded(TIMED_OUT)
        if self._slowest is not None and left > SAFETY * self._slowest:
            return self._call(*arrays)
        options = config_pb2.RunOptions(timeout_in_ms=max(1, int(left * 1000)))
        return self._run_with_options(arrays, options)

    def _run_with_options(self, arrays: Sequence[np.ndarray], options: Any) -> list[Any]:
        """What `Session.run` does below its checks: it would refuse shapes that C++ accepts."""
        graph = self._session.graph
        outputs = [graph.get_tensor_by_name(n)._as_tf_output() for n in self._fetches]
        inputs = [graph.get_tensor_by_name(n)._as_tf_output() for n in self._feeds]
        feed = dict(zip(inputs, arrays, strict=True))
        buffer = tf_session.TF_NewBufferFromString(options.SerializeToString())
        try:
            return self._session._call_tf_sessionrun(buffer, feed, outputs, [], None)
        finally:
            tf_session.TF_DeleteBuffer(buffer)


class GraphRunner:
    """A loaded graph and its session; programs are made on first use and kept."""

    def __init__(self, session: Any, parameters: Any | None = None, name: str = "model") -> None:
        self._session = session
        self._programs: dict[Any, Program] = {}
        self._lock = threading.Lock()
        self._batcher = None
        self._company = batching.Company()
        # Set for a model that batches: what gathers its requests, by kind of request.
        self.limits: Limits | None = None
        self.gatherings: dict[Any, Any] = {}
        if parameters is not None:
            self._batcher = batching.Batcher(session.graph, parameters, name)
            self.limits = Limits.of(parameters)

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
            shapes = () if alone else (batching.inner_shapes(arrays),)
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
        shapes = () if alone else (batching.inner_shapes(arrays), GATHERED)
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
        # The batch runs in the scheduler's threads; the caller only hands its rows in.
        return Program(self._session, feeds, fetches, hand_over=False)

    def close(self) -> None:
        """Give the session's memory back; no request may be running."""
        self._programs.clear()
        self.gatherings.clear()
        graph = self._session.graph
        self._session.close()
        del graph
