"""The REST interface: an ASGI application that hands requests to threads and stays responsive.

Beyond TensorFlow Serving's interface it answers /v1/models, /v1/health/ready, /v1/health/live,
/openapi.json, and the pages at / and /docs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from serving.access.keys import ApiKeys, refusal
from serving.batching.scheduler import LARGEST_BYTES, BatchScheduler
from serving.engine import Engine
from serving.errors import Code, ServingError, deadline_exceeded
from serving.options import Flags
from serving.rest import openapi
from serving.rest.gzip_body import inflated
from serving.rest.leaving import DisconnectedError, GivenUpOnLeaving
from serving.rest.pages import has_playground, pages, pages_without_key
from serving.rest.routes import (
    MODEL_API,
    NOT_FOUND_PAGE,
    Answer,
    Routes,
    error_answer,
    malformed,
)
from serving.session.callers import in_thread

log = logging.getLogger("serving.rest")
CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)
CORS_WITH_KEYS = (*CORS[:2], (CORS[2][0], b"Content-Type, Authorization, X-API-Key"))
CHALLENGE = ((b"www-authenticate", b"Bearer"),)
# How long past the request's own timeout the connection waits for its thread.
TIMEOUT_MARGIN = 1.0
TIMED_OUT = "Timed out waiting for the model"
STARTING = "The server waits for its models; /v1/health/ready says what for"
STOPPING = "the server is stopping"
BATCHING_THREADS = 64
LIVE, READY = "/v1/health/live", "/v1/health/ready"
UNAUTHENTICATED = error_answer(refusal())
FACTS_THREADS = 2

# An ASGI connection's facts and events, as uvicorn gives them.
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class RestApp:
    """The ASGI application."""

    def __init__(
        self,
        engine: Engine,
        flags: Flags,
        metrics_path: str | None,
        keys: ApiKeys | None = None,
    ) -> None:
        self._engine = engine
        self._timeout = flags.rest_api_timeout_in_ms / 1000
        self._routes = Routes(engine, self._timeout, flags.strict_json, flags.port)
        self._pages = pages(has_playground(flags))
        cors = CORS if keys is None else CORS_WITH_KEYS
        self._cors = cors if flags.rest_api_enable_cors_support else ()
        self._metrics_path = metrics_path
        self._keys, self._without_key = keys, open_paths(flags, metrics_path)
        self._pool = ThreadPoolExecutor(worker_threads(flags), thread_name_prefix="rest")
        # Status and metadata are told whatever runs.
        self._facts = ThreadPoolExecutor(FACTS_THREADS, thread_name_prefix="rest-facts")
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
        except asyncio.CancelledError:  # the drain time is over
            answer = error_answer(ServingError(Code.UNAVAILABLE, STOPPING))
        except Exception as error:
            log.exception("request failed")
            answer = error_answer(error)
        headers = [
            (b"content-type", answer.content_type.encode()),
            *(() if answer.status == 304 else (_length(answer),)),
            *answer.headers,
            *self._cors,
            *(CHALLENGE if answer.status == 401 else ()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], _path(scope)
        if self._keys is not None and not self._admits(self._keys, scope, path):
            return UNAUTHENTICATED
        query = "?" + scope["query_string"].decode("latin-1") if scope["query_string"] else ""
        page = self._pages.get(path) if not query else None
        if page is not None and method in ("GET", "HEAD"):
            return page.answer(dict(scope["headers"]).get(b"if-none-match", b""))
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
            return await self._in_thread(self._facts, self._routes.get, path, query)
        return error_answer(malformed(method, path))

    def _admits(self, keys: ApiKeys, scope: Scope, path: str) -> bool:
        """Whether a request has a key or needs none; a browser asks its OPTIONS without one."""
        if path in self._without_key or scope["method"] == "OPTIONS":
            return True
        return keys.admits(scope["headers"])

    def _own_page(self, method: str, path: str, query: str) -> Answer | None:
        """What is told of the server without a thread."""
        if path == self._metrics_path and method == "GET":
            return self._metrics(path, query)
        if query or method != "GET":
            return None
        if path == LIVE:
            return Answer(200, b'{"status": "live"}\n')
        if path == READY:
            return self._readiness()
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
        with GivenUpOnLeaving(receive):
            if self._scheduler is not None and len(body) <= LARGEST_BYTES:
                answer = await self._batched(self._scheduler, path, query, body)
                if answer is not None:
                    return answer
            return await self._in_thread(self._pool, self._routes.post, path, query, body)

    async def _batched(
        self, scheduler: BatchScheduler, path: str, query: str, body: bytes
    ) -> Answer | None:
        try:
            async with asyncio.timeout(self._timeout if self._timeout > 0 else None):
                return await self._routes.post_batched(scheduler, path, query, body)
        except TimeoutError:
            return error_answer(deadline_exceeded(TIMED_OUT))

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        chunks, more = [], True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(chunks)
        if b"gzip" in dict(scope["headers"]).get(b"content-encoding", b""):
            return inflated(body)
        return body

    async def _in_thread(
        self, threads: Executor, work: Callable[..., Answer], *args: str | bytes
    ) -> Answer:
        limit = self._timeout + TIMEOUT_MARGIN if self._timeout > 0 else None
        try:
            async with asyncio.timeout(limit):
                return await in_thread(threads, work, *args)
        except TimeoutError:
            return error_answer(deadline_exceeded(TIMED_OUT))

    def close(self) -> None:
        """Stop the threads."""
        for threads in (self._pool, self._facts):
            threads.shutdown(wait=False, cancel_futures=True)


def open_paths(flags: Flags, metrics_path: str | None) -> set[str]:
    """The paths that are answered without an API key."""
    health = {LIVE, READY} if flags.health_without_key else set()
    metrics = {metrics_path} if metrics_path and flags.metrics_without_key else set()
    return health | metrics | pages_without_key(flags)


def worker_threads(flags: Flags) -> int:
    """Threads for requests; a batch forms from requests that wait in threads of their own."""
    if "rest_api_num_threads" in flags.given or not flags.enable_batching:
        return max(1, flags.rest_api_num_threads)
    return max(BATCHING_THREADS, flags.rest_api_num_threads)


def _length(answer: Answer) -> tuple[bytes, bytes]:
    return b"content-length", str(len(answer.body)).encode()


def _path(scope: Scope) -> str:
    return scope["raw_path"].partition(b"?")[0].decode("latin-1")


def _preflight(scope: Scope) -> Answer:
    """A browser's OPTIONS question: yes to any web origin."""
    origin = dict(scope["headers"]).get(b"origin", b"")
    return Answer(200 if origin.startswith((b"http://", b"https://")) else 400, b"")
