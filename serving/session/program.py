"""Running a loaded graph with as little as possible between the request and the session.

Below `Session.run`'s checks of feeds and fetches, whose answers are the same for each request, a
call takes 5 µs on a very small model, and each can have its own options: how long it may take, and
whether the caller's thread runs the operations or the threads of the inter-op pool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from serving.codec.tensors import Fetched
from serving.errors import deadline_exceeded, invalid_argument
from serving.session.gathering import ThreadBatches, Waiting
from serving.session.limits import Limits
from serving.session.lone_requests import LoneRequestDetector
from serving.session.sharing import TIMED_OUT, Ends, Outcome, SharedRuns, Sharing, Verdicts
from serving.session.tf_private import SessionCall, passing_run_options, run_options
from serving.session.threads import RunCounter, ThreadChoice

MOST_PROGRAMS = 64
# A deadline this many times the slowest run seen does not need to be watched.
FAR_DEADLINE = 10.0
DECAY = 0.98

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
    ) -> None:
        unique = sorted(set(fetches))  # a session keeps what it makes for each order
        self._call = SessionCall(session, feeds, unique)
        self._order = [unique.index(name) for name in fetches]
        self._is_in_order = self._order == list(range(len(fetches)))
        self._choice = ThreadChoice()
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


class Chosen:
    """Some of the outputs of a program that computes more."""

    def __init__(self, program: Program, places: Sequence[int]) -> None:
        self._program, self._places = program, places

    def run(self, arrays: Sequence[np.ndarray], deadline: float | None) -> list[Fetched]:
        """The chosen values."""
        values = self._program.run(arrays, deadline)
        return [values[place] for place in self._places]


@dataclass(frozen=True)
class Batching:
    """How a version batches: its file's limits and what is known of its signatures at load."""

    limits: Limits
    unbatchable: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


class GraphRunner:
    """A loaded graph and its session; programs are made on first use and kept."""

    def __init__(
        self,
        session: tf.compat.v1.Session,
        name: str = "model",
        batching: Batching | None = None,
        all_fetches: Mapping[tuple[str, ...], tuple[str, ...]] | None = None,
    ) -> None:
        """`all_fetches`: by what is fed, everything that is ever fetched."""
        self._session = session
        self._programs: dict[Ends, Program] = {}
        self._lock = threading.Lock()
        self._lone_requests = LoneRequestDetector()
        self._all_fetches = all_fetches or {}
        self.limits: Limits | None = None  # set for a model that batches
        if batching is not None:
            self.limits = batching.limits
            self._verdicts = Verdicts(name, batching.unbatchable, batching.aliases)
            self._shared = SharedRuns(self._run, batching.limits, self._verdicts)
            self._batches = ThreadBatches(self._shared, batching.limits)

    def run(
        self,
        feeds: tuple[str, ...],
        arrays: Sequence[np.ndarray],
        fetches: tuple[str, ...],
        deadline: float | None = None,
    ) -> Sequence[Fetched]:
        """The values of `fetches` for these feeds, batched with other requests where it can be.

        Args:
            feeds: graph tensor names.
            arrays: one array a feed.
            fetches: graph tensor names.
            deadline: time.monotonic() after which nobody wants the answer.
        """
        ends = Ends(feeds, fetches)
        rows = self.rows_to_batch(ends, arrays)
        if not rows:
            return self._run(ends, arrays, deadline)
        request = Waiting(list(arrays), rows, deadline)
        with self._lone_requests as alone:
            if not alone:
                return self._batches.run(ends, request)
            outcome = self._shared.run_alone(ends, request)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def rows_to_batch(self, ends: Ends, arrays: Sequence[np.ndarray]) -> int:
        """How many rows a request brings into a batch; 0 for one that can only run by itself.

        Raises:
            ServingError: INVALID_ARGUMENT for more rows than a batch may have.
        """
        if self.limits is None or self._verdicts.of(ends).refused:
            return 0
        sizes = {array.shape[0] if array.ndim else 0 for array in arrays}
        rows = sizes.pop() if len(sizes) == 1 else 0
        if rows > self.limits.rows:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {self.limits.rows}"
            )
        return rows

    def run_batch(self, ends: Ends, requests: Sequence[Sharing], alone: bool) -> Sequence[Outcome]:
        """What each of these requests ends with; `alone`: there is one and nothing else runs."""
        if alone:
            return [self._shared.run_alone(ends, request) for request in requests]
        return self._shared.run(ends, requests)

    def _run(
        self, ends: Ends, arrays: Sequence[np.ndarray], deadline: float | None
    ) -> list[Fetched]:
        program = self._programs.get(ends)
        return (program or self._make(ends)).run(arrays, deadline)

    def _make(self, ends: Ends) -> Program | Chosen:
        """A program for these ends; a session keeps what it makes for one as long as it lives."""
        everything = self._all_fetches.get(ends.feeds, ends.fetches)
        with self._lock:
            if len(self._programs) < MOST_PROGRAMS or ends.fetches == everything:
                return self._made(ends)
            places = [everything.index(fetch) for fetch in ends.fetches]
            return Chosen(self._made(Ends(ends.feeds, everything)), places)

    def _made(self, ends: Ends) -> Program:
        program = self._programs.get(ends)
        if program is None:
            program = self._programs[ends] = Program(self._session, *ends)
        return program

    def close(self) -> None:
        """Give the session's memory back; no request may be running."""
        self._programs.clear()
        graph = self._session.graph
        self._session.close()
        del graph
