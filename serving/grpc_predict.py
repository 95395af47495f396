"""Predict in the event loop: requests for models that batch are gathered, others go to threads."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from concurrent.futures import Executor
from typing import Any

from serving import merging
from serving.engine import Call, Engine
from serving.errors import Code, ServingError
from serving.gathering import Gathering
from serving.grpc_methods import Method
from serving.merging import Job

# Larger requests are decoded by a thread, which then waits for its batch, as REST's threads do.
LARGEST_BYTES = 16 << 10
LARGEST_ELEMENTS = 4 << 10
MOST_KINDS = 256


class _LoopJob(Job):
    """A job whose answer the event loop waits for."""

    future: asyncio.Future[bytes]

    def settle(self) -> None:
        """Tell the waiting handler, unless the client has gone."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.answer)


class GatheredPredict:
    """Answers Predict; used by one event loop."""

    def __init__(self, engine: Engine, method: Method, threads: Executor) -> None:
        self._engine, self._method, self._threads = engine, method, threads

    async def __call__(self, data: bytes, deadline: float | None) -> bytes:
        """The serialized response to a serialized request."""
        loop = asyncio.get_running_loop()
        if len(data) <= LARGEST_BYTES:
            request = self._method.parse(data)
            if _is_small(request):
                job = _LoopJob(self._engine, Call("GRPC", "Predict", deadline), request)
                if job.gathers:
                    return await self._gathered(job, loop)
                job.abandon()
        return await loop.run_in_executor(self._threads, self._method.answer, data, deadline)

    async def _gathered(self, job: _LoopJob, loop: asyncio.AbstractEventLoop) -> bytes:
        job.future = loop.create_future()
        gathering = self._gathering(job, loop)
        try:
            gathering.add(job)
        except ServingError as full:
            job.fail(full)
            raise
        try:
            return await job.future
        except asyncio.CancelledError:
            if gathering.remove(job):
                job.fail(_gone(job))
            raise

    def _gathering(self, job: Job, loop: asyncio.AbstractEventLoop) -> Gathering:
        kinds: dict[Any, Gathering] = job.runner.gatherings
        gathering = kinds.get(job.key)
        if gathering is None:
            if len(kinds) >= MOST_KINDS:
                for key in [key for key, kind in kinds.items() if kind.idle]:
                    del kinds[key]
            gathering = kinds[job.key] = Gathering(loop, job.runner.limits, self._start)
        return gathering

    def _start(self, gathering: Gathering, batch: list[_LoopJob], alone: bool) -> None:
        loop = asyncio.get_running_loop()

        def run() -> None:
            started = time.monotonic()
            try:
                merging.run(batch, alone)
            finally:
                took = time.monotonic() - started
                # After the grace period of a stop there is nobody left to tell.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(answered, took)

        def answered(took: float) -> None:
            for job in batch:
                job.settle()
            gathering.ended(batch, took)

        self._threads.submit(run)


def _is_small(request: Any) -> bool:
    """Whether decoding takes no time worth mentioning, whatever the shapes claim."""
    count = 0
    for tensor in request.inputs.values():
        count += math.prod(max(dim.size, 0) for dim in tensor.tensor_shape.dim)
    return count <= LARGEST_ELEMENTS


def _gone(job: Job) -> ServingError:
    """Why a request that waited is not wanted any more."""
    if job.deadline is not None and job.deadline <= time.monotonic():
        return ServingError(Code.DEADLINE_EXCEEDED, merging.TIMED_OUT)
    return ServingError(Code.CANCELLED, "the client cancelled the request")
