"""The gRPC side: TensorFlow Serving's services, health and reflection on one server.

The server lives in an event loop; what may take long runs in threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2

from serving.access.administration import administration
from serving.access.keys import ApiKeys
from serving.access.sockets import room_for
from serving.access.tls import Tls
from serving.engine import Engine
from serving.errors import Code, ServingError, invalid_argument
from serving.grpc_api.admission import KeyInterceptor, Running
from serving.grpc_api.methods import handler, in_threads, model_methods, prediction_methods
from serving.grpc_api.predict import BatchedPredict
from serving.grpc_api.unix_socket import SocketPath
from serving.options import Flags, host_and_port

PREDICTION = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name
MODEL = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name
RELOAD = "HandleReloadConfigRequest"
HEALTH_NAMES = ("", "PredictionService", "ModelService", PREDICTION, MODEL)
BATCHING_THREADS = 64
FACTS_THREADS = RELOAD_THREADS = 2
# How long a message may still take to arrive once the server is told to stop.
STOPPING_SECONDS = 1.0
DRAIN_TICK = 0.02
MOST_PENDING = (1 << 31) - 1

T = TypeVar("T")


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """The event loop of all gRPC servers of this process; gRPC wants one loop a process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="grpc-server").start()
    return loop


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run in the event loop and wait for it from another thread."""
    return asyncio.run_coroutine_threadsafe(work, event_loop()).result()


class GrpcServer:
    """A gRPC server for an engine; listens once `start` is called."""

    def __init__(
        self,
        engine: Engine,
        flags: Flags,
        extra: Sequence[grpc.GenericRpcHandler] = (),
        tls: Tls | None = None,
        keys: ApiKeys | None = None,
    ) -> None:
        self._flags = flags
        self._credentials = tls.grpc_credentials() if tls is not None else None
        self._running = Running()
        self._interceptors = (
            [] if keys is None else [KeyInterceptor(keys, flags.health_without_key)]
        )
        self._options = server_options(flags)
        self._threads = ThreadPoolExecutor(worker_threads(flags), thread_name_prefix="grpc")
        # Administration does not wait for predictions, nor status and metadata for a reload.
        self._facts = ThreadPoolExecutor(FACTS_THREADS, thread_name_prefix="grpc-facts")
        self._reloads = ThreadPoolExecutor(RELOAD_THREADS, thread_name_prefix="grpc-reload")
        self._health = health.aio.HealthServicer()
        self._socket = SocketPath(flags.grpc_socket_path) if flags.grpc_socket_path else None
        self._server: grpc.aio.Server
        wait_for(self._build([*self._services(engine), *extra]))

    def _services(self, engine: Engine) -> list[grpc.GenericRpcHandler]:
        """The generic handlers of PredictionService and ModelService."""
        prediction, model = prediction_methods(engine), model_methods(engine)
        services = {
            PREDICTION: {name: in_threads(m, self._threads) for name, m in prediction.items()},
            MODEL: {name: in_threads(m, self._reloads) for name, m in model.items()},
        }
        for service, name, method in (
            (PREDICTION, "GetModelMetadata", prediction["GetModelMetadata"]),
            (MODEL, "GetModelStatus", model["GetModelStatus"]),
        ):
            services[service][name] = in_threads(method, self._facts)
        checks = {RELOAD: administration(self._flags, "enable_reload_rpc").check}
        predict = BatchedPredict(engine, prediction["Predict"], self._threads)
        services[PREDICTION]["Predict"] = predict
        return [
            grpc.method_handlers_generic_handler(
                service,
                {n: handler(self._running.counted(m), checks.get(n)) for n, m in methods.items()},
            )
            for service, methods in services.items()
        ]

    async def _build(self, services: list[grpc.GenericRpcHandler]) -> None:
        # The threads also run handlers that are plain functions.
        self._server = grpc.aio.server(
            self._threads, interceptors=self._interceptors, options=self._options
        )
        self._server.add_generic_rpc_handlers(tuple(services))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (PREDICTION, MODEL, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def start(self) -> list[str]:
        """Bind and listen; returns the addresses.

        Raises:
            ServingError: an address cannot be bound.
        """
        return wait_for(self._start())

    async def _start(self) -> list[str]:
        addresses = []
        if self._flags.port:
            addresses.append(host_and_port(self._flags.host, self._flags.port))
            self._bind(addresses[-1])
        if self._socket is not None:
            addresses.append(f"unix:{self._socket.path}")
            self._bind(f"unix:{self._socket.bound}")
            self._socket.publish()
        await self._set_serving(True)
        await self._server.start()
        return addresses

    def _bind(self, address: str) -> None:
        try:
            if self._credentials is not None and not address.startswith("unix:"):
                self._server.add_secure_port(address, self._credentials)
            else:
                self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ServingError(Code.UNKNOWN, f"cannot listen on {address}: {error}") from None

    def set_serving(self, serving: bool) -> None:
        """What the health service answers."""
        wait_for(self._set_serving(serving))

    async def _set_serving(self, serving: bool) -> None:
        states = health_pb2.HealthCheckResponse
        for name in HEALTH_NAMES:
            await self._health.set(name, states.SERVING if serving else states.NOT_SERVING)

    def stop(self, grace: float) -> None:
        """Take no more requests; returns when the running ones are answered or grace is over."""
        if self._socket is not None:
            self._socket.withdraw()
        wait_for(self._stop(grace))
        for threads in (self._threads, self._facts, self._reloads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _stop(self, grace: float) -> None:
        stopping = asyncio.ensure_future(self._server.stop(grace))
        while self._running.count and not stopping.done():
            await asyncio.sleep(DRAIN_TICK)
        # What has no answer now has not arrived as a whole, or never ends.
        await asyncio.gather(stopping, self._server.stop(min(grace, STOPPING_SECONDS)))


def worker_threads(flags: Flags) -> int:
    """Threads for requests; requests that the event loop does not batch wait in them."""
    if "grpc_max_threads" in flags.given or not flags.enable_batching:
        return max(1, flags.grpc_max_threads)
    return max(BATCHING_THREADS, flags.grpc_max_threads)


def server_options(flags: Flags) -> list[tuple[str, int | str]]:
    """Channel arguments: limits, no port sharing, and --grpc_channel_arguments, which win."""
    options: dict[str, int | str] = {
        "grpc.max_receive_message_length": flags.grpc_max_message_bytes,
        "grpc.max_send_message_length": flags.grpc_max_message_bytes,
        "grpc.max_concurrent_streams": flags.grpc_max_concurrent_streams,
        # Above 1,000 waiting calls gRPC begins to cancel some at random, whoever's they are; how
        # many there can be is limited by streams and connections.
        "grpc.server.max_pending_requests": MOST_PENDING,
        "grpc.server.max_pending_requests_hard_limit": MOST_PENDING,
        "grpc.max_allowed_incoming_connections": room_for(flags.grpc_max_connections),
        "grpc.server_handshake_timeout_ms": flags.grpc_handshake_timeout_in_ms,
        "grpc.so_reuseport": 0,
    }
    ends = {"idle": flags.grpc_connection_idle_in_ms, "age": flags.grpc_connection_age_in_ms}
    options |= {f"grpc.max_connection_{end}_ms": limit for end, limit in ends.items() if limit}
    for pair in filter(None, flags.grpc_channel_arguments.split(",")):
        key, has_value, value = pair.partition("=")
        if not has_value:
            raise invalid_argument(f"--grpc_channel_arguments: {pair!r} is not key=value")
        options[key] = int(value) if value.lstrip("-").isdigit() else value
    return list(options.items())
