"""The REST interface: an ASGI application that hands requests to threads and stays responsive.

Beyond TensorFlow Serving's interface it answers /v1/health/ready, /v1/health/live, /docs and
/openapi.json.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.batching.scheduler import LARGEST_BYTES, BatchScheduler
from serving.engine import Engine
from serving.errors import Code, ServingError, deadline_exceeded
from serving.options import Flags
from serving.rest import openapi
from serving.rest.gzip_body import inflated
from serving.rest.routes import (
    MODEL_API,
    NOT_FOUND_PAGE,
    Answer,
    Routes,
    error_answer,
    malformed,
)

log = logging.getLogger("serving.rest")
CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)
# How long past the request's own timeout the connection waits for its thread.
TIMEOUT_MARGIN = 1.0
TIMED_OUT = "Timed out waiting for the model"
STARTING = "The server waits for its models; /v1/health/ready says what for"
BATCHING_THREADS = 64

# An ASGI connection's facts and events, as uvicorn gives them.
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class DisconnectedError(Exception):
    """The client went away before its request was complete."""


class RestApp:
    """The ASGI application."""

    def __init__(self, engine: Engine, flags: Flags, metrics_path: str | None) -> None:
        self._engine = engine
        self._timeout = flags.rest_api_timeout_in_ms / 1000
        self._routes = Routes(engine, self._timeout, flags.strict_json)
        self._largest = flags.rest_api_max_body_bytes
        self._cors = CORS if flags.rest_api_enable_cors_support else ()
        self._metrics_path = metrics_path
        self._pool = ThreadPoolExecutor(worker_threads(flags), thread_name_prefix="rest")
        self._scheduler = BatchScheduler(self._pool) if flags.enable_batching else None
        self.ready = False
        self.starting = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except DisconnectedError:
            return
        except Exception as error:
            log.exception("request failed")
            answer = error_answer(error)
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            *self._cors,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], _path(scope)
        query = "?" + scope["query_string"].decode("latin-1") if scope["query_string"] else ""
        own = self._own_page(method, path, query)
        if own is not None:
            return own
        if not MODEL_API.fullmatch(path):
            return NOT_FOUND_PAGE
        if method == "OPTIONS":
            return _preflight(scope)
        if method == "POST" and self.starting:
            return error_answer(ServingError(Code.UNAVAILABLE, STARTING))
        if method == "POST":
            return await self._post(scope, receive, path, query)
        if method == "GET":
            return await self._in_thread(self._routes.get, path, query)
        return error_answer(malformed(method, path))

    def _own_page(self, method: str, path: str, query: str) -> Answer | None:
        """Pages that do not need a thread."""
        if path == self._metrics_path and method == "GET":
            return self._metrics(path, query)
        if query or method != "GET":
            return None
        if path == "/v1/health/live":
            return Answer(200, b'{"status": "live"}\n')
        if path == "/v1/health/ready":
            return self._readiness()
        if path == "/docs":
            return Answer(200, openapi.PAGE, "text/html; charset=utf-8")
        if path == "/openapi.json":
            return Answer(200, openapi.document(self._engine))
        return None

    def _readiness(self) -> Answer:
        """Ready when every configured model has an available version."""
        core = self._engine.core
        missing = [name for name in core.model_names() if not core.manager.available(name)]
        return openapi.readiness(self.ready, missing, core.complaints() if missing else {})

    def _metrics(self, path: str, query: str) -> Answer:
        if query:
            text = f"Unexpected path: {path}{query}. Should be {path}"
            return Answer(400, text.encode(), "text/plain")
        return Answer(200, self._engine.metrics.page().encode(), "text/plain")

    async def _post(self, scope: Scope, receive: Receive, path: str, query: str) -> Answer:
        try:
            body = await self._body(scope, receive)
        except ServingError as error:
            return error_answer(error)
        if self._scheduler is not None and len(body) <= LARGEST_BYTES:
            answer = await self._batched(self._scheduler, path, query, body)
            if answer is not None:
                return answer
        return await self._in_thread(self._routes.post, path, query, body)

    async def _batched(
        self, scheduler: BatchScheduler, path: str, query: str, body: bytes
    ) -> Answer | None:
        try:
            async with asyncio.timeout(self._timeout if self._timeout > 0 else None):
                return await self._routes.post_batched(scheduler, path, query, body)
        except TimeoutError:
            return error_answer(deadline_exceeded(TIMED_OUT))

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        if int(headers.get(b"content-length", b"0") or 0) > self._largest:
            raise self._too_large()
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._largest:
                raise self._too_large()
            more = message.get("more_body", False)
        body = b"".join(chunks)
        if b"gzip" in headers.get(b"content-encoding", b""):
            return inflated(body)
        return body

    def _too_large(self) -> ServingError:
        return ServingError(
            Code.RESOURCE_EXHAUSTED, f"request body is larger than {self._largest} bytes"
        )

    async def _in_thread(self, work: Callable[..., Answer], *args: str | bytes) -> Answer:
        future = asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        if self._timeout <= 0:
            return await future
        try:
            return await asyncio.wait_for(future, self._timeout + TIMEOUT_MARGIN)
        except TimeoutError:
            return error_answer(deadline_exceeded(TIMED_OUT))

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def worker_threads(flags: Flags) -> int:
    """Threads for requests; a batch forms from requests that wait in threads of their own."""
    if "rest_api_num_threads" in flags.given or not flags.enable_batching:
        return max(1, flags.rest_api_num_threads)
    return max(BATCHING_THREADS, flags.rest_api_num_threads)


def _path(scope: Scope) -> str:
    return scope["raw_path"].partition(b"?")[0].decode("latin-1")


def _preflight(scope: Scope) -> Answer:
    """A browser's OPTIONS question: yes to any web origin."""
    origin = dict(scope["headers"]).get(b"origin", b"")
    return Answer(200 if origin.startswith((b"http://", b"https://")) else 400, b"")
