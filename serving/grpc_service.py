"""The gRPC side: TensorFlow Serving's services, health and reflection on one server."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
    regression_pb2,
)

from serving import protos
from serving.config import read_text_proto
from serving.engine import Call, Engine
from serving.errors import Code, ServingError, from_exception, invalid_argument, truncated
from serving.flags import Flags

log = logging.getLogger("serving.grpc")
PREDICTION = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name
MODEL = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name
HEALTH_NAMES = ("", "PredictionService", "ModelService", PREDICTION, MODEL)
STATUS = {status.value[0]: status for status in grpc.StatusCode}
LONGEST_DEADLINE = 1e7
BATCHING_THREADS = 64

Work = Callable[[Any, Any], Any]


def deadline_of(context: Any) -> float | None:
    """The client's deadline on the clock of time.monotonic(), or None without one."""
    left = context.time_remaining()
    if left is None or left > LONGEST_DEADLINE:
        return None
    return time.monotonic() + left


def _unary(request_class: Any, work: Work) -> Any:
    """A method handler that parses, works, and turns errors into status codes."""

    def handle(data: bytes, context: Any) -> bytes:
        try:
            request = request_class.FromString(data)
            answer = work(request, context)
            return answer if isinstance(answer, bytes) else answer.SerializeToString()
        except DecodeError:
            error = invalid_argument(f"cannot parse {request_class.DESCRIPTOR.full_name}")
        except Exception as caught:
            error = from_exception(caught)
            if error.code is Code.INTERNAL:
                log.exception("request failed")
        return context.abort(STATUS[int(error.code)], truncated(error.message))

    return grpc.unary_unary_rpc_method_handler(handle)


def prediction_handlers(engine: Engine) -> dict[str, Any]:
    """PredictionService by method name."""

    def timed(name: str, method: Callable[[Any, Call], Any]) -> Work:
        return lambda request, context: method(request, Call("GRPC", name, deadline_of(context)))

    return {
        "Predict": _unary(predict_pb2.PredictRequest, timed("Predict", engine.predict)),
        "Classify": _unary(
            classification_pb2.ClassificationRequest, timed("Classify", engine.classify)
        ),
        "Regress": _unary(regression_pb2.RegressionRequest, timed("Regress", engine.regress)),
        "MultiInference": _unary(
            inference_pb2.MultiInferenceRequest, timed("MultiInference", engine.multi_inference)
        ),
        "GetModelMetadata": _unary(
            get_model_metadata_pb2.GetModelMetadataRequest,
            lambda request, context: engine.metadata(request),
        ),
    }


def model_handlers(engine: Engine) -> dict[str, Any]:
    """ModelService by method name."""

    def reload(request: Any, context: Any) -> Any:
        response = model_management_pb2.ReloadConfigResponse()
        grown = engine.reload(request, deadline_of(context))
        for name, increase in grown.items():
            response.metric.add(name=name, int64_value_increase=increase)
        response.status.SetInParent()
        return response

    return {
        "GetModelStatus": _unary(
            get_model_status_pb2.GetModelStatusRequest,
            lambda request, context: engine.status(request),
        ),
        "HandleReloadConfigRequest": _unary(model_management_pb2.ReloadConfigRequest, reload),
    }


class GrpcServer:
    """A gRPC server for an engine; listens once `start` is called."""

    def __init__(self, engine: Engine, flags: Flags, extra: list[Any] | None = None) -> None:
        self._flags = flags
        self._credentials = tls_credentials(flags)
        threads = worker_threads(flags)
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"), options=server_options(flags)
        )
        handlers = {PREDICTION: prediction_handlers(engine), MODEL: model_handlers(engine)}
        for service, methods in handlers.items():
            generic = grpc.method_handlers_generic_handler(service, methods)
            self._server.add_generic_rpc_handlers((generic,))
        for generic in extra or []:
            self._server.add_generic_rpc_handlers((generic,))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (PREDICTION, MODEL, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def start(self) -> list[str]:
        """Bind and listen; returns the addresses.

        Raises:
            ServingError: an address cannot be bound.
        """
        addresses = []
        if self._flags.port:
            addresses.append(f"{self._flags.host}:{self._flags.port}")
        if self._flags.grpc_socket_path:
            addresses.append(f"unix:{os.path.abspath(self._flags.grpc_socket_path)}")
        for address in addresses:
            self._bind(address)
        self.set_serving(True)
        self._server.start()
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
        states = health_pb2.HealthCheckResponse
        for name in HEALTH_NAMES:
            self._health.set(name, states.SERVING if serving else states.NOT_SERVING)

    def stop(self, grace: float) -> None:
        """Take no more requests; returns when the running ones are answered or grace is over."""
        self._server.stop(grace).wait()


def worker_threads(flags: Flags) -> int:
    """Threads for requests. A batch forms from requests that wait in threads of their own."""
    if "grpc_max_threads" in flags.given or not flags.enable_batching:
        return max(1, flags.grpc_max_threads)
    return max(BATCHING_THREADS, flags.grpc_max_threads)


def server_options(flags: Flags) -> list[tuple[str, Any]]:
    """Channel arguments: message sizes, no port sharing, and --grpc_channel_arguments."""
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", flags.grpc_max_message_bytes),
        ("grpc.max_send_message_length", flags.grpc_max_message_bytes),
        ("grpc.so_reuseport", 0),
    ]
    for pair in filter(None, flags.grpc_channel_arguments.split(",")):
        key, has_value, value = pair.partition("=")
        if not has_value:
            raise invalid_argument(f"--grpc_channel_arguments: {pair!r} is not key=value")
        options.append((key, int(value) if value.lstrip("-").isdigit() else value))
    return options


def tls_credentials(flags: Flags) -> Any | None:
    """Server credentials from --ssl_config_file, or None for plain text."""
    if not flags.ssl_config_file:
        return None
    config = read_text_proto(flags.ssl_config_file, protos.SSLConfig())
    if not config.server_key or not config.server_cert:
        raise invalid_argument(
            f"{flags.ssl_config_file}: server_key and server_cert must hold PEM text"
        )
    if config.client_verify and not config.custom_ca:
        raise invalid_argument(
            f"{flags.ssl_config_file}: client_verify needs custom_ca, the authority that signed "
            "the clients' certificates"
        )
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
