"""Running a loaded graph with as little as possible between the request and the session.

Below `Session.run`'s checks of feeds and fetches, whose answers are the same for each request, a
call takes 5 µs on a very small model, and each can have its own options: how long it may take, and
whether the caller's thread runs the operations or the threads of the inter-op pool.

TensorFlow ends a run at its timeout only in the pool, whose change of threads costs a very small
model three times its own time. So a run far from its deadline has its timeout there, but none in
the caller's thread: the watchdog finds it if it overruns, and its runner ends it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from serving.codec.tensors import Fetched
from serving.errors import deadline_exceeded
from serving.session.parallelism import REQUEST_POOL
from serving.session.sharing import TIMED_OUT
from serving.session.tf_private import SessionCall, run_options
from serving.session.threads import RunCounter, ThreadChoice
from serving.session.verdicts import Ends
from serving.session.watchdog import WATCHDOG, Owner

MOST_PROGRAMS = 64
# A deadline this many times the slowest run seen does not need to be watched.
FAR_DEADLINE = 10.0
DECAY = 0.98

CALLERS_THREAD = -1
RUNS = RunCounter()

# For as long as the process lives, so never deleted.
IN_POOL = run_options(inter_op_thread_pool=REQUEST_POOL)
IN_CALLERS_THREAD = run_options(inter_op_thread_pool=CALLERS_THREAD)
# Timeouts are rounded up to so many digits of the binary system, so there are few of them.
TIMEOUT_BITS = 8
LONGEST_TIMEOUT_MS = (1 << 31) - 1


def timed(seconds: float) -> Any:
    """RunOptions of a run in the pool that ends after so many seconds, or a hundredth later."""
    milliseconds = min(max(1, int(seconds * 1000)), LONGEST_TIMEOUT_MS)
    shift = max(0, milliseconds.bit_length() - TIMEOUT_BITS)
    return _timed_options(min(((milliseconds >> shift) + 1) << shift, LONGEST_TIMEOUT_MS))


@cache
def _timed_options(milliseconds: int) -> Any:
    return run_options(timeout_in_ms=milliseconds, inter_op_thread_pool=REQUEST_POOL)


class _Nobody:
    """An owner that lets its runs go on."""

    def end_runs(self, unwanted: Sequence[object], others: int) -> None:
        """Nothing is done."""


NOBODY = _Nobody()


class Program:
    """One set of feeds and fetches of a session."""

    def __init__(
        self,
        session: tf.compat.v1.Session,
        feeds: Sequence[str],
        fetches: Sequence[str],
        owner: Owner = NOBODY,
        overran: bool = False,
    ) -> None:
        """`owner`: ends runs that nobody waits for; `overran`: always give runs a timeout."""
        unique = sorted(set(fetches))  # a session keeps what it makes for each order
        self._call = SessionCall(session, feeds, unique)
        self._order = [unique.index(name) for name in fetches]
        self._is_in_order = self._order == list(range(len(fetches)))
        self._choice = ThreadChoice()
        self._slowest: float | None = None
        self._ends = Ends(tuple(feeds), tuple(fetches))
        self._owner, self._overran = owner, overran

    def run(self, arrays: Sequence[np.ndarray], deadline: float | None) -> list[Fetched]:
        """Run to the fetched values; `deadline` is on the clock of time.monotonic()."""
        start = time.monotonic()
        left = None if deadline is None else deadline - start
        # A hundredth later, as TensorFlow's own timeout may end it first.
        overdue = None if left is None else start + 1.01 * left
        thread = WATCHDOG.started(self._owner, self._ends, overdue)
        try:
            if left is None or self._is_far(left):
                values = self._run_unhurried(arrays, left)
            elif left <= 0:
                raise deadline_exceeded(TIMED_OUT)
            else:
                values = self._call(arrays, timed(left))
        finally:
            WATCHDOG.ended(thread)
        took = time.monotonic() - start
        # The first run also prepares the graph, so what was slow once is slowly forgotten.
        self._slowest = max(took, DECAY * (self._slowest or 0.0))
        return values if self._is_in_order else [values[i] for i in self._order]

    def _is_far(self, left: float) -> bool:
        if self._slowest is None or self._overran:
            return False
        return left > FAR_DEADLINE * self._slowest

    def _run_unhurried(self, arrays: Sequence[np.ndarray], left: float | None) -> list[Fetched]:
        with RUNS as concurrency:
            free = concurrency.leaves_cores_free
            in_pool = self._choice.in_pool if free else concurrency.overflows
            options = IN_CALLERS_THREAD
            if in_pool:
                options = IN_POOL if left is None else timed(left)
            start = time.perf_counter()
            values = self._call(arrays, options)
            if free:
                self._choice.record(in_pool, time.perf_counter() - start)
            return values


class Chosen:
    """Some of the outputs of a program that computes more."""

    def __init__(self, program: Program, places: Sequence[int]) -> None:
        self._program, self._places = program, places

    def run(self, arrays: Sequence[np.ndarray], deadline: float | None) -> list[Fetched]:
        """The chosen values."""
        values = self._program.run(arrays, deadline)
        return [values[place] for place in self._places]


class Programs:
    """The programs of a session, made on first use and kept."""

    def __init__(
        self,
        session: tf.compat.v1.Session,
        all_fetches: Mapping[tuple[str, ...], tuple[str, ...]],
        owner: Owner,
        overran: Container[object] = (),
    ) -> None:
        """`all_fetches`: by what is fed, everything that is ever fetched."""
        self.session = session
        self._all_fetches, self._owner, self._overran = all_fetches, owner, overran
        self._programs: dict[Ends, Program] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._programs)

    def run(
        self, ends: Ends, arrays: Sequence[np.ndarray], deadline: float | None
    ) -> list[Fetched]:
        """The values of one set of feeds and fetches."""
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
            overran = ends in self._overran
            program = Program(self.session, *ends, self._owner, overran)
            self._programs[ends] = program
        return program

    def close(self) -> None:
        """Give the session's memory back; runs in it are cancelled."""
        self._programs.clear()
        graph = self.session.graph
        self.session.close()
        del graph
