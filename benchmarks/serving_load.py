"""The load generator of `benchmarks/serving.py`: closed-loop clients in one event loop.

The clients share the processor with the server that they measure, so they do as little as they
can: prepared requests, no threads, answers not decoded.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

TIMEOUT = 120
METHOD = "/tensorflow.serving.PredictionService/Predict"

Ask = Callable[[], Awaitable[None]]
# Opens a number of clients, each of which is asked again and again.
Clients = Callable[[int], contextlib.AbstractAsyncContextManager[list[Ask]]]


def grpc_clients(port: int, model: str, text: str) -> Clients:
    """Clients that send one prepared gRPC request, all on one connection."""
    data = predict_request(model, text)

    @contextlib.asynccontextmanager
    async def connect(count: int) -> AsyncIterator[list[Ask]]:
        import grpc

        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(METHOD)

            async def ask() -> None:
                await call(data, timeout=TIMEOUT)

            yield [ask] * count

    return connect


def predict_request(model: str, text: str) -> bytes:
    """A serialized PredictRequest with one text."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.inputs["text"].CopyFrom(tf.make_tensor_proto([text]))
    return bytes(request.SerializeToString())


def rest_clients(port: int, model: str, text: str) -> Clients:
    """Clients that send one prepared REST request, each on its own kept-alive connection."""
    body = json.dumps({"instances": [text]}).encode()
    request = (
        f"POST /v1/models/{model}:predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body

    @contextlib.asynccontextmanager
    async def connect(count: int) -> AsyncIterator[list[Ask]]:
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
        try:
            yield [_rest_ask(request, *stream) for stream in streams]
        finally:
            for _, writer in streams:
                writer.close()

    return connect


def _rest_ask(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Ask:
    async def ask() -> None:
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT)
        status, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines if line)
        content = await reader.readexactly(int(fields["content-length"]))
        if status.split()[1] != "200":
            raise RuntimeError(content.decode())

    return ask


def blocking_grpc(port: int, model: str, text: str) -> Callable[[], Any]:
    """One client of the kind that waits for each answer."""
    import grpc

    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    return partial(channel.unary_unary(METHOD), predict_request(model, text), timeout=TIMEOUT)


def blocking_rest(port: int, model: str, text: str) -> Callable[[], Any]:
    """One client of the kind that waits for each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    body, headers = json.dumps({"instances": [text]}), {"Content-Type": "application/json"}

    def ask() -> bytes:
        connection.request("POST", f"/v1/models/{model}:predict", body, headers)
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(content.decode())
        return content

    return ask


def closed_loop(connect: Clients, count: int, seconds: float) -> tuple[list[float], float]:
    """Latencies in seconds of all requests, and the time that all took together."""
    return asyncio.run(_closed_loop(connect, count, seconds))


async def _closed_loop(connect: Clients, count: int, seconds: float) -> tuple[list[float], float]:
    latencies: list[float] = []

    async def work(ask: Ask, end: float) -> None:
        before = time.perf_counter()
        while before < end:
            await ask()
            now = time.perf_counter()
            latencies.append(now - before)
            before = now

    async with connect(count) as asks:
        await asyncio.gather(*(ask() for ask in asks))  # connections are open from here on
        start = time.perf_counter()
        await asyncio.gather(*(work(ask, start + seconds) for ask in asks))
        return latencies, time.perf_counter() - start


def repeated(run: Callable[[], Any], seconds: float) -> list[float]:
    """Latencies of a function called in this process, one call after the other."""
    latencies: list[float] = []
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        before = time.perf_counter()
        run()
        latencies.append(time.perf_counter() - before)
    return latencies
