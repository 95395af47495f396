"""Predict requests that share one run of the model: rows put together, answers taken apart."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tensorflow_serving.apis import model_pb2

from serving.codec.tensors import Fetched
from serving.engine import Call, Engine, ServableHandle
from serving.errors import ServingError, deadline_exceeded, from_exception
from serving.models.servable import Servable
from serving.models.signatures import Signature
from serving.session.callers import is_past
from serving.session.gathering import Shapes, inner_shapes
from serving.session.limits import Limits
from serving.session.runner import GraphRunner
from serving.session.sharing import TIMED_OUT
from serving.session.verdicts import Ends


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
        self.gone = False
        self.answer: bytes | None = None
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
        """Whether it may share a run; if not, abandon the request."""
        return self.rows > 0

    def abandon(self) -> None:
        """The request goes another way."""
        self._handle.release()

    def _decode(self) -> None:
        self._inputs = self.read(self._handle.servable)
        signature = self._inputs.signature
        self._handle.servable.caps.check(self._inputs.given)
        self.arrays = signature.arrays(self._inputs.given)
        fetches = signature.fetches(self._inputs.outputs)
        self.rows = self.runner.rows_to_batch(Ends(signature.feeds, fetches), self.arrays)
        self.key = BatchKey(signature.feeds, fetches, inner_shapes(self.arrays))

    @property
    def ended(self) -> bool:
        """Whether there is an answer or an error."""
        return self.answer is not None or self.error is not None

    def succeed(self, values: Sequence[Fetched]) -> None:
        """End with an answer, or with why there is none."""
        try:
            self.answer = self.write(self._handle.servable, self._inputs, values)
        except Exception as caught:
            self.fail(caught)
        else:
            self._handle.succeeded()

    def fail(self, caught: BaseException) -> None:
        """End with an error."""
        self.error = from_exception(caught)
        self._handle.failed(caught)


def run_batch(batch: Sequence[PendingPredict], alone: bool) -> None:
    """End every request: together, or each for itself if together fails."""
    wanted = _still_wanted(batch)
    if not wanted:
        return
    first = wanted[0]
    ends = Ends(first.key.feeds, first.key.fetches)
    outcomes = first.runner.run_batch(ends, wanted, alone and len(wanted) == 1)
    for pending, outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            pending.fail(outcome)
        else:
            pending.succeed(outcome)


def end_all(batch: Sequence[PendingPredict], caught: BaseException) -> None:
    """Fail those that have not ended: the batch's run broke off."""
    for pending in batch:
        if not pending.ended:
            pending.fail(caught)


def _still_wanted(batch: Sequence[PendingPredict]) -> list[PendingPredict]:
    """Those whose deadline is still to come; the others end."""
    now, wanted = time.monotonic(), []
    for pending in batch:
        if is_past(pending.deadline, now):
            pending.fail(deadline_exceeded(TIMED_OUT))
        else:
            wanted.append(pending)
    return wanted
