"""Requests that share a run, and the checks that none of them gets another answer by it.

Rows of requests are put together and the answers are taken apart again by their rows. That is only
right for a function of rows, so a set of outputs earns it. Before its first shared run it is asked
with made-up rows, alone and together. The requests of its first shared runs are run separately as
well, and the separate answers are given; later, each time that the number of runs has doubled, so
are a few of a run's requests. Where rows or values differ, the outputs never share a run again, and
the log says so.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from serving.codec.tensors import Fetched, as_array
from serving.errors import Code, deadline_exceeded, from_exception
from serving.session import comparison
from serving.session.callers import Request, is_past, on_behalf_of, time_left
from serving.session.comparison import Difference
from serving.session.limits import Limits
from serving.session.verdicts import Check, Ends, Verdict, Verdicts

TIMED_OUT = "Timed out waiting for the model; the deadline had passed"
# What goes wrong with the server, not with one of the requests: none is tried again alone.
SHARED = (
    Code.UNAVAILABLE,
    Code.DEADLINE_EXCEEDED,
    Code.CANCELLED,
    Code.ABORTED,
    Code.RESOURCE_EXHAUSTED,
)
SAMPLE = 2

Outcome = Sequence[Fetched] | BaseException


class Sharing(Request, Protocol):
    """A request whose rows may go into a shared run."""

    @property
    def arrays(self) -> Sequence[np.ndarray]: ...

    @property
    def rows(self) -> int: ...


Run = Callable[[Ends, Sequence[np.ndarray], float | None], Sequence[Fetched]]


class SharedRuns:
    """Runs requests of a version together."""

    def __init__(self, run: Run, limits: Limits, verdicts: Verdicts) -> None:
        self._run, self._limits, self._verdicts = run, limits, verdicts
        self._slots = threading.Semaphore(limits.threads)

    def run(self, ends: Ends, requests: Sequence[Sharing]) -> Sequence[Outcome]:
        """Each request's values, or what it fails with; it never raises for one of them."""
        deadline = _last_deadline(requests)
        if not self._slots.acquire(timeout=time_left(deadline)):
            return [deadline_exceeded(TIMED_OUT)] * len(requests)
        try:
            return self._run_in_slot(ends, requests, deadline)
        finally:
            self._slots.release()

    def run_alone(self, ends: Ends, request: Sharing) -> Outcome:
        """The values of one request from a run of its own, which nobody else waits for."""
        try:
            values = on_behalf_of(request, self._run, ends, request.arrays, request.deadline)
        except Exception as caught:
            return caught
        for tensor, value in zip(ends.fetches, values, strict=True):
            if not comparison.has_rows(as_array(value), request.rows):
                self._verdicts.refuse(ends, tensor, Difference.ROWS.value)
        return values

    def _run_in_slot(
        self, ends: Ends, requests: Sequence[Sharing], deadline: float | None
    ) -> Sequence[Outcome]:
        if len(requests) == 1:
            return [self.run_alone(ends, requests[0])]
        verdict = self._verdicts.of(ends)
        if not verdict.probed:
            with verdict.lock:
                self._probe(ends, verdict, requests[0])
        if verdict.refused:
            return self._run_separately(ends, requests)
        check = verdict.next_check()
        if check is Check.ALL:
            return self._run_checked(ends, requests, deadline)
        return self._run_trusted(ends, requests, deadline, check is Check.SAMPLE)

    def _run_trusted(
        self, ends: Ends, requests: Sequence[Sharing], deadline: float | None, sample: bool
    ) -> Sequence[Outcome]:
        try:
            parts = self._together(ends, requests, deadline)
        except Exception as caught:
            code = from_exception(caught).code
            if code is Code.CANCELLED:  # because of those that nobody waits for
                return self._run_wanted(ends, requests, caught)
            if code in SHARED:
                return [caught] * len(requests)
            outcomes = self._run_separately(ends, requests)
            self._doubt_if_all_good(ends, outcomes)
            return outcomes
        if parts is None or (sample and not self._sample_is_equal(ends, requests, parts)):
            return self._run_separately(ends, requests)
        return parts

    def _run_wanted(
        self, ends: Ends, requests: Sequence[Sharing], given_up: Exception
    ) -> Sequence[Outcome]:
        """After a run that was ended for those that nobody waits for: the others' own runs.

        A run past its request's deadline ends before it begins.
        """
        return [given_up if request.gone else self.run_alone(ends, request) for request in requests]

    def _run_separately(self, ends: Ends, requests: Sequence[Sharing]) -> Sequence[Outcome]:
        return [self.run_alone(ends, request) for request in requests]

    def _together(
        self, ends: Ends, requests: Sequence[Sharing], deadline: float | None
    ) -> list[list[np.ndarray]] | None:
        """Everybody's rows of every value; None where an output has other rows than the inputs."""
        columns = zip(*(request.arrays for request in requests), strict=True)
        sizes = [request.rows for request in requests]
        values = self._in_allowed_sizes(ends, [np.concatenate(c) for c in columns], deadline)
        for tensor, value in zip(ends.fetches, values, strict=True):
            if not comparison.has_rows(value, sum(sizes)):
                self._verdicts.refuse(ends, tensor, Difference.ROWS.value)
                return None
        starts = itertools.accumulate(sizes, initial=0)
        return [
            [v[start : start + size] for v in values]
            for start, size in zip(starts, sizes, strict=False)
        ]

    def _in_allowed_sizes(
        self, ends: Ends, arrays: list[np.ndarray], deadline: float | None
    ) -> list[np.ndarray]:
        """Run in parts of at most the largest size, each filled up with its first row."""
        rows, most = len(arrays[0]), self._limits.largest_run
        parts = []
        for start in range(0, rows, most):
            part = [array[start : start + most] for array in arrays]
            count = len(part[0])
            padding = self._limits.padded(count) - count
            if padding:
                part = [np.concatenate([a, np.repeat(a[:1], padding, axis=0)]) for a in part]
            values = [as_array(value) for value in self._run(ends, part, deadline)]
            if padding and all(comparison.has_rows(v, count + padding) for v in values):
                values = [value[:count] for value in values]
            parts.append(values)
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate([np.atleast_1d(v) for v in c]) for c in zip(*parts, strict=True)]

    # Checks -----------------------------------------------------------------------------------

    def _run_checked(
        self, ends: Ends, requests: Sequence[Sharing], deadline: float | None
    ) -> Sequence[Outcome]:
        """The outcomes of separate runs, and a shared run to compare them with."""
        outcomes = self._run_separately(ends, requests)
        if any(isinstance(outcome, BaseException) for outcome in outcomes):
            return outcomes
        self._compare(ends, requests, outcomes, deadline)
        return outcomes

    def _sample_is_equal(
        self, ends: Ends, requests: Sequence[Sharing], parts: list[list[np.ndarray]]
    ) -> bool:
        places = random.sample(range(len(requests)), min(SAMPLE, len(requests)))
        outcomes = [self.run_alone(ends, requests[place]) for place in places]
        return self._are_equal(ends, [parts[place] for place in places], outcomes)

    def _compare(
        self,
        ends: Ends,
        requests: Sequence[Sharing],
        outcomes: Sequence[Outcome],
        deadline: float | None,
    ) -> None:
        """Run requests together that were answered alone, and judge what is different."""
        try:
            parts = self._together(ends, requests, deadline)
        except Exception as caught:
            if from_exception(caught).code not in SHARED:
                self._doubt_if_all_good(ends, outcomes)
            return
        if parts is not None:
            self._are_equal(ends, parts, outcomes)

    def _are_equal(
        self, ends: Ends, parts: Sequence[list[np.ndarray]], outcomes: Sequence[Outcome]
    ) -> bool:
        """Judge each output once: the gravest of its differences."""
        found = dict.fromkeys(ends.fetches, Difference.NONE)
        for part, outcome in zip(parts, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                continue
            for tensor, shared, alone in zip(ends.fetches, part, outcome, strict=True):
                new = comparison.difference(as_array(alone), shared)
                found[tensor] = max(found[tensor], new, key=comparison.GRAVITY.index)
        for tensor, worst in found.items():
            self._judge(ends, tensor, worst)
        return all(worst is Difference.NONE for worst in found.values())

    def _judge(self, ends: Ends, tensor: str, found: Difference) -> None:
        if found is Difference.CHOICE:
            self._verdicts.doubt(ends, tensor, found.value)
        elif found is not Difference.NONE:
            self._verdicts.refuse(ends, tensor, found.value)

    def _doubt_if_all_good(self, ends: Ends, outcomes: Sequence[Outcome]) -> None:
        """A shared run failed: whose fault was it?"""
        if not any(isinstance(outcome, BaseException) for outcome in outcomes):
            why = "requests that are answered alone fail when they share a run"
            self._verdicts.doubt(ends, ends.fetches[0], why)

    def _probe(self, ends: Ends, verdict: Verdict, like: Sharing) -> None:
        """Compare made-up requests, once; those that the model refuses tell nothing."""
        if verdict.probed:
            return
        made = [
            Probe(arrays, 1, like.deadline) for arrays in comparison.probe_requests(like.arrays)
        ]
        made = made[: self._limits.rows]
        tried = [(request, self.run_alone(ends, request)) for request in made]
        good = [(r, o) for r, o in tried if not isinstance(o, BaseException)]
        for order in (good, good[::-1]):
            if len(order) > 1 and not verdict.refused:
                requests, outcomes = zip(*order, strict=True)
                self._compare(ends, requests, outcomes, like.deadline)
        # One that ran out of time has told nothing.
        verdict.probed = not is_past(like.deadline, time.monotonic())


class Probe(NamedTuple):
    """A request that nobody sent."""

    arrays: list[np.ndarray]
    rows: int
    deadline: float | None
    gone: bool = False


def _last_deadline(requests: Sequence[Sharing]) -> float | None:
    """When nobody waits any more."""
    deadlines = [request.deadline for request in requests]
    return (
        max((d for d in deadlines if d is not None), default=None)
        if None not in deadlines
        else None
    )
