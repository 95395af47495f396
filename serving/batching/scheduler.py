"""Predict requests of an event loop: each waits for its batch, batches run in threads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from concurrent.futures import Executor, Future
from weakref import WeakKeyDictionary

from serving.batching import requests
from serving.batching.queue import BatchQueue
from serving.batching.requests import BatchKey, PendingPredict
from serving.errors import Code, ServingError
from serving.session.callers import Together, is_past, on_behalf_of
from serving.session.runner import GraphRunner
from serving.session.sharing import TIMED_OUT

log = logging.getLogger("serving.batching")
# Larger requests are decoded by a thread, which then waits for its batch itself.
LARGEST_BYTES = 16 << 10
MOST_QUEUES = 256


class BatchScheduler:
    """Answers requests in batches; used by one event loop."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._futures: dict[PendingPredict, asyncio.Future[bytes]] = {}
        # Gone with their model when it is unloaded.
        self._queues: WeakKeyDictionary[GraphRunner, dict[BatchKey, BatchQueue]] = (
            WeakKeyDictionary()
        )

    async def schedule(self, pending: PendingPredict) -> bytes:
        """A request's answer, once its batch has run.

        Raises:
            ServingError: why there is none.
        """
        loop = asyncio.get_running_loop()
        future = self._futures[pending] = loop.create_future()
        queue = self._queue(pending, loop)
        try:
            self._add(queue, pending)
            return await future
        except asyncio.CancelledError:
            pending.gone = True
            if queue.remove(pending):
                pending.fail(_gone(pending))
            raise
        finally:
            del self._futures[pending]

    @staticmethod
    def _add(queue: BatchQueue, pending: PendingPredict) -> None:
        try:
            queue.add(pending)
        except ServingError as full:
            pending.fail(full)
            raise

    def _queue(self, pending: PendingPredict, loop: asyncio.AbstractEventLoop) -> BatchQueue:
        queues = self._queues.setdefault(pending.runner, {})
        queue = queues.get(pending.key)
        if queue is None:
            if len(queues) >= MOST_QUEUES:
                for key in [key for key, other in queues.items() if other.idle]:
                    del queues[key]
            queue = queues[pending.key] = BatchQueue(loop, pending.limits, self._start)
        return queue

    def _start(self, queue: BatchQueue, batch: list[PendingPredict], alone: bool) -> None:
        loop = asyncio.get_running_loop()

        def run() -> None:
            started = time.monotonic()
            try:
                on_behalf_of(Together(batch), requests.run_batch, batch, alone)
            except BaseException as caught:
                requests.end_all(batch, caught)
                raise
            finally:
                seconds = time.monotonic() - started
                # After the grace period of a stop there is nobody left to tell.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(answered, seconds)

        def answered(seconds: float) -> None:
            for pending in batch:
                self._settle(pending)
            queue.finished(batch, seconds)

        try:
            self._threads.submit(run).add_done_callback(_report)
        except RuntimeError:  # the threads have been stopped
            requests.end_all(batch, ServingError(Code.UNAVAILABLE, "the server is stopping"))
            loop.call_soon(answered, 0.0)

    def _settle(self, pending: PendingPredict) -> None:
        """Tell the waiting handler, unless the client has gone."""
        future = self._futures.get(pending)
        if future is None or future.done():
            return
        if pending.answer is not None:
            future.set_result(pending.answer)
        else:
            lost = ServingError(Code.INTERNAL, "the batch ended without an answer")
            future.set_exception(pending.error or lost)


def _report(run: Future[None]) -> None:
    """Log what a batch's run broke off with."""
    if not run.cancelled() and run.exception() is not None:
        log.error("the run of a batch broke off", exc_info=run.exception())


def _gone(pending: PendingPredict) -> ServingError:
    """Why a request that waited is not wanted any more."""
    if is_past(pending.deadline, time.monotonic()):
        return ServingError(Code.DEADLINE_EXCEEDED, TIMED_OUT)
    return ServingError(Code.CANCELLED, "the client cancelled the request")
