"""Predict requests that share one run of the model: rows put together, answers taken apart."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tensorflow_serving.apis import model_pb2

from serving.codec import tensors
from serving.codec.tensors import Fetched
from serving.engine import Call, Engine, ServableHandle
from serving.errors import Code, ServingError, deadline_exceeded, from_exception
from serving.models.servable import Servable
from serving.models.signatures import Signature
from serving.session.batch_function import Shapes, inner_shapes
from serving.session.limits import Limits
from serving.session.program import TIMED_OUT, GraphRunner

# What goes wrong with the server, not with one of the requests: none is tried again alone.
SHARED = (
    Code.UNAVAILABLE,
    Code.DEADLINE_EXCEEDED,
    Code.CANCELLED,
    Code.ABORTED,
    Code.RESOURCE_EXHAUSTED,
)


class Inputs(NamedTuple):
    """A request's signature, the outputs it wants, and its arrays by input alias."""

    signature: Signature
    outputs: tuple[str, ...]
    given: Mapping[str, np.ndarray]


class BatchKey(NamedTuple):
    """Requests of a model with one key may share a run."""

    feeds: tuple[str, ...]
    fetches: tuple[str, ...]
    shapes: Shapes


class PendingPredict(ABC):
    """A decoded Predict request on a version, until it is answered.

    Raises:
        ServingError: the request is refused before any run.
    """

    runner: GraphRunner
    limits: Limits
    key: BatchKey
    arrays: list[np.ndarray]

    def __init__(self, engine: Engine, call: Call, spec: model_pb2.ModelSpec) -> None:
        self._handle = ServableHandle(engine, call, spec)
        self.deadline = call.deadline
        self.rows = 0
        self.answer = b""
        self.error: ServingError | None = None
        runner = self._handle.servable.runner
        if isinstance(runner, GraphRunner) and runner.limits is not None:
            self.runner, self.limits = runner, runner.limits
            try:
                self._decode()
            except Exception as caught:
                raise self._handle.failed(caught) from caught

    @abstractmethod
    def read(self, servable: Servable) -> Inputs:
        """What the request asks for."""

    @abstractmethod
    def write(self, servable: Servable, inputs: Inputs, values: Sequence[Fetched]) -> bytes:
        """The serialized answer with the values of the outputs."""

    @property
    def can_batch(self) -> bool:
        """Whether the model batches and there are rows to batch; if not, abandon the request."""
        return self.rows > 0

    def abandon(self) -> None:
        """The request goes another way."""
        self._handle.release()

    def _decode(self) -> None:
        self._inputs = self.read(self._handle.servable)
        signature = self._inputs.signature
        self.arrays = signature.arrays(self._inputs.given)
        self.runner.check(self.arrays)
        self.rows = len(self.arrays[0]) if self.arrays else 0
        fetches = signature.fetches(self._inputs.outputs)
        self.key = BatchKey(signature.feeds, fetches, inner_shapes(self.arrays))

    def succeed(self, values: Sequence[Fetched]) -> None:
        """End with an answer."""
        self.answer = self.write(self._handle.servable, self._inputs, values)
        self._handle.succeeded()

    def fail(self, caught: BaseException) -> None:
        """End with an error."""
        self.error = self._handle.failed(caught)


def run_batch(batch: Sequence[PendingPredict], alone: bool) -> None:
    """End every request: together, or each for itself if together fails."""
    wanted = _still_wanted(batch)
    if wanted:
        _run(wanted, alone)


def _run(wanted: list[PendingPredict], alone: bool) -> None:
    try:
        answers = _run_together(wanted, alone)
    except Exception as caught:
        if len(wanted) == 1 or from_exception(caught).code in SHARED:
            for pending in wanted:
                pending.fail(caught)
        else:
            for pending in _still_wanted(wanted):
                # Bypassing the scheduler, where another request could fail it.
                _run([pending], alone=True)
        return
    for pending, values in zip(wanted, answers, strict=True):
        _end(pending, values)


def _still_wanted(batch: Sequence[PendingPredict]) -> list[PendingPredict]:
    """Those whose deadline is still to come; the others end."""
    now, wanted = time.monotonic(), []
    for pending in batch:
        if pending.deadline is not None and pending.deadline <= now:
            pending.fail(deadline_exceeded(TIMED_OUT))
        else:
            wanted.append(pending)
    return wanted


def _run_together(batch: list[PendingPredict], alone: bool) -> Sequence[Sequence[Fetched]]:
    """The values of each request from one run."""
    first = batch[0]
    run, (feeds, fetches, _) = first.runner.run_batch, first.key
    if len(batch) == 1:
        return [run(feeds, first.arrays, fetches, first.deadline, alone)]
    arrays = [np.concatenate(column) for column in zip(*(p.arrays for p in batch), strict=True)]
    values = run(feeds, arrays, fetches, _last_deadline(batch), False)
    return _split([tensors.as_array(value) for value in values], [p.rows for p in batch])


def _last_deadline(batch: list[PendingPredict]) -> float | None:
    """When nobody waits any more."""
    latest = 0.0
    for pending in batch:
        if pending.deadline is None:
            return None
        latest = max(latest, pending.deadline)
    return latest


def _split(values: list[np.ndarray], sizes: list[int]) -> Sequence[Sequence[Fetched]]:
    """Everybody's rows of every value."""
    parts, start = [], 0
    for size in sizes:
        parts.append([value[start : start + size] for value in values])
        start += size
    return parts


def _end(pending: PendingPredict, values: Sequence[Fetched]) -> None:
    try:
        pending.succeed(values)
    except Exception as caught:
        pending.fail(caught)
