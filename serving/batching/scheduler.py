"""Predict requests of an event loop: each waits for its batch, batches run in threads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import Executor
from weakref import WeakKeyDictionary

from serving.batching import requests
from serving.batching.queue import BatchQueue
from serving.batching.requests import BatchKey, PendingPredict
from serving.errors import Code, ServingError
from serving.session.program import TIMED_OUT, GraphRunner

# Larger requests are decoded by a thread, which then waits for its batch in TensorFlow's scheduler.
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
                requests.run_batch(batch, alone)
            finally:
                seconds = time.monotonic() - started
                # After the grace period of a stop there is nobody left to tell.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(answered, seconds)

        def answered(seconds: float) -> None:
            for pending in batch:
                self._settle(pending)
            queue.finished(batch, seconds)

        self._threads.submit(run)

    def _settle(self, pending: PendingPredict) -> None:
        """Tell the waiting handler, unless the client has gone."""
        future = self._futures.get(pending)
        if future is None or future.done():
            return
        if pending.error is not None:
            future.set_exception(pending.error)
        else:
            future.set_result(pending.answer)


def _gone(pending: PendingPredict) -> ServingError:
    """Why a request that waited is not wanted any more."""
    if pending.deadline is not None and pending.deadline <= time.monotonic():
        return ServingError(Code.DEADLINE_EXCEEDED, TIMED_OUT)
    return ServingError(Code.CANCELLED, "the client cancelled the request")
