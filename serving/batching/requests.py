"""Predict requests that share one run of the model: rows put together, answers taken apart."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from serving.codec import tensors
from serving.engine import Call, Engine, Visit
from serving.errors import Code, ServingError, deadline_exceeded, from_exception
from serving.models.servable import Servable
from serving.models.signatures import Signature
from serving.session.batch_function import inner_shapes
from serving.session.program import TIMED_OUT, GraphRunner

# What goes wrong with the server, not with one of the requests: none is tried again alone.
SHARED = (
    Code.UNAVAILABLE,
    Code.DEADLINE_EXCEEDED,
    Code.CANCELLED,
    Code.ABORTED,
    Code.RESOURCE_EXHAUSTED,
)
Key = tuple[Any, ...]


class Inputs(NamedTuple):
    """A request's signature, the outputs it wants, and its arrays by input alias."""

    signature: Signature
    outputs: tuple[str, ...]
    given: Mapping[str, np.ndarray]


class Job(ABC):
    """A decoded Predict request on a version, until it is answered.

    Raises:
        ServingError: the request is refused before any run.
    """

    def __init__(self, engine: Engine, call: Call, spec: Any) -> None:
        self._visit = Visit(engine, call, spec)
        self.deadline = call.deadline
        self.runner: Any = self._visit.servable.runner
        self.rows = 0
        self.answer = b""
        self.error: ServingError | None = None
        if getattr(self.runner, "limits", None) is not None:
            try:
                self._decode()
            except Exception as caught:
                raise self._visit.failed(caught) from caught

    @abstractmethod
    def read(self, servable: Servable) -> Inputs:
        """What the request asks for."""

    @abstractmethod
    def write(self, servable: Servable, inputs: Inputs, values: Sequence[Any]) -> bytes:
        """The serialized answer with the values of the outputs."""

    @property
    def gathers(self) -> bool:
        """Whether the model batches and there are rows to batch; if not, abandon the job."""
        return self.rows > 0

    def abandon(self) -> None:
        """The request goes another way."""
        self._visit.leave()

    def _decode(self) -> None:
        self._inputs = self.read(self._visit.servable)
        signature = self._inputs.signature
        self.arrays = signature.arrays(self._inputs.given)
        self.runner.check(self.arrays)
        self.rows = len(self.arrays[0]) if self.arrays else 0
        # Requests with one key may share a run.
        fetches = signature.fetches(self._inputs.outputs)
        self.key: Key = (signature.feeds, fetches, inner_shapes(self.arrays))

    def succeed(self, values: Sequence[Any]) -> None:
        """End with an answer."""
        self.answer = self.write(self._visit.servable, self._inputs, values)
        self._visit.succeeded()

    def fail(self, caught: BaseException) -> None:
        """End with an error."""
        self.error = self._visit.failed(caught)


def run(jobs: Sequence[Job], alone: bool) -> None:
    """End every job: together, or each for itself if together fails."""
    wanted = _still_wanted(jobs)
    if wanted:
        _run(wanted, alone)


def _run(wanted: list[Job], alone: bool) -> None:
    try:
        answers = _together(wanted, alone)
    except Exception as caught:
        if len(wanted) == 1 or from_exception(caught).code in SHARED:
            for job in wanted:
                job.fail(caught)
        else:
            for job in _still_wanted(wanted):
                _run([job], alone=True)  # past the scheduler: no other request can fail it
        return
    for job, values in zip(wanted, answers, strict=True):
        _end(job, values)


def _still_wanted(jobs: Sequence[Job]) -> list[Job]:
    """Those whose deadline is still to come; the others end."""
    now, wanted = time.monotonic(), []
    for job in jobs:
        if job.deadline is not None and job.deadline <= now:
            job.fail(deadline_exceeded(TIMED_OUT))
        else:
            wanted.append(job)
    return wanted


def _together(jobs: list[Job], alone: bool) -> list[list[Any]]:
    """The values of each job from one run."""
    first = jobs[0]
    runner: GraphRunner = first.runner
    feeds, fetches, _ = first.key
    if len(jobs) == 1:
        return [runner.run_batch(feeds, first.arrays, fetches, first.deadline, alone)]
    arrays = [np.concatenate(column) for column in zip(*(j.arrays for j in jobs), strict=True)]
    values = runner.run_batch(feeds, arrays, fetches, _last_deadline(jobs), False)
    return _shares([tensors.as_array(value) for value in values], [job.rows for job in jobs])


def _last_deadline(jobs: list[Job]) -> float | None:
    """When nobody waits any more."""
    latest = 0.0
    for job in jobs:
        if job.deadline is None:
            return None
        latest = max(latest, job.deadline)
    return latest


def _shares(values: list[np.ndarray], sizes: list[int]) -> list[list[Any]]:
    """Everybody's rows of every value."""
    shares, start = [], 0
    for size in sizes:
        shares.append([value[start : start + size] for value in values])
        start += size
    return shares


def _end(job: Job, values: list[Any]) -> None:
    try:
        job.succeed(values)
    except Exception as caught:
        job.fail(caught)
