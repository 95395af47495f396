"""Jobs of an event loop: each waits for its batch, batches run in threads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import Executor
from typing import Any

from serving.batching import requests as merging
from serving.batching.policy import Gathering
from serving.batching.requests import Job
from serving.errors import Code, ServingError

# Larger requests are decoded by a thread, which then waits for its batch in the scheduler.
LARGEST_BYTES = 16 << 10
MOST_KINDS = 256


class Gatherer:
    """Answers jobs in batches; used by one event loop."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._futures: dict[Job, asyncio.Future[bytes]] = {}

    async def answer(self, job: Job) -> bytes:
        """A job's answer, once its batch has run.

        Raises:
            ServingError: why there is none.
        """
        loop = asyncio.get_running_loop()
        future = self._futures[job] = loop.create_future()
        gathering = self._gathering(job, loop)
        try:
            self._add(gathering, job)
            return await future
        except asyncio.CancelledError:
            if gathering.remove(job):
                job.fail(_gone(job))
            raise
        finally:
            del self._futures[job]

    @staticmethod
    def _add(gathering: Gathering, job: Job) -> None:
        try:
            gathering.add(job)
        except ServingError as full:
            job.fail(full)
            raise

    def _gathering(self, job: Job, loop: asyncio.AbstractEventLoop) -> Gathering:
        kinds: dict[Any, Gathering] = job.runner.queues
        key = (self, job.key)  # another event loop's jobs wait for batches of their own
        gathering = kinds.get(key)
        if gathering is None:
            if len(kinds) >= MOST_KINDS:
                for other, kind in list(kinds.items()):
                    if other[0] is self and kind.idle:
                        del kinds[other]
            gathering = kinds[key] = Gathering(loop, job.runner.limits, self._start)
        return gathering

    def _start(self, gathering: Gathering, batch: list[Job], alone: bool) -> None:
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
                self._settle(job)
            gathering.ended(batch, took)

        self._threads.submit(run)

    def _settle(self, job: Job) -> None:
        """Tell the waiting handler, unless the client has gone."""
        future = self._futures.get(job)
        if future is None or future.done():
            return
        if job.error is not None:
            future.set_exception(job.error)
        else:
            future.set_result(job.answer)


def _gone(job: Job) -> ServingError:
    """Why a request that waited is not wanted any more."""
    if job.deadline is not None and job.deadline <= time.monotonic():
        return ServingError(Code.DEADLINE_EXCEEDED, merging.TIMED_OUT)
    return ServingError(Code.CANCELLED, "the client cancelled the request")
