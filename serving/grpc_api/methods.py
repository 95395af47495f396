"""The methods of TensorFlow Serving's gRPC services, apart from the server that carries them."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.engine import Call, Engine
from serving.errors import Code, ServingError, from_exception, invalid_argument, truncated
from serving.session.callers import in_thread

log = logging.getLogger("serving.grpc")
STATUS = {status.value[0]: status for status in grpc.StatusCode}
LONGEST_DEADLINE = 1e7

# A request's class decides which of the methods gets it.
Work = Callable[[Any, float | None], Message | bytes]
Answering = Callable[[bytes, float | None], Awaitable[bytes]]


@dataclass(frozen=True)
class Method:
    """A method: the class of its requests, and what answers one by a deadline."""

    request: type[Message]
    work: Work

    def parse(self, data: bytes) -> Message:
        """The request.

        Raises:
            ServingError: INVALID_ARGUMENT when it is none.
        """
        try:
            return self.request.FromString(data)
        except DecodeError:
            raise invalid_argument(f"cannot parse {self.request.DESCRIPTOR.full_name}") from None

    def answer(self, data: bytes, deadline: float | None) -> bytes:
        """The serialized response to a serialized request."""
        return self.respond(self.parse(data), deadline)

    def respond(self, request: Message, deadline: float | None) -> bytes:
        """The serialized response to a request."""
        response = self.work(request, deadline)
        return response if isinstance(response, bytes) else response.SerializeToString()


def prediction_methods(engine: Engine) -> dict[str, Method]:
    """PredictionService by method name."""

    def timed(name: str, method: Callable[[Any, Call], Message | bytes]) -> Work:
        return lambda request, deadline: method(request, Call("GRPC", name, deadline))

    return {
        "Predict": Method(predict_pb2.PredictRequest, timed("Predict", engine.predict)),
        "Classify": Method(
            classification_pb2.ClassificationRequest, timed("Classify", engine.classify)
        ),
        "Regress": Method(regression_pb2.RegressionRequest, timed("Regress", engine.regress)),
        "MultiInference": Method(
            inference_pb2.MultiInferenceRequest, timed("MultiInference", engine.multi_inference)
        ),
        "GetModelMetadata": Method(
            get_model_metadata_pb2.GetModelMetadataRequest,
            lambda request, deadline: engine.metadata(request),
        ),
    }


def model_methods(engine: Engine) -> dict[str, Method]:
    """ModelService by method name."""

    def reload(
        request: model_management_pb2.ReloadConfigRequest, deadline: float | None
    ) -> model_management_pb2.ReloadConfigResponse:
        response = model_management_pb2.ReloadConfigResponse()
        grown = engine.reload(request, deadline)
        for name, increase in grown.items():
            response.metric.add(name=name, int64_value_increase=increase)
        response.status.SetInParent()
        return response

    return {
        "GetModelStatus": Method(
            get_model_status_pb2.GetModelStatusRequest,
            lambda request, deadline: engine.status(request),
        ),
        "HandleReloadConfigRequest": Method(model_management_pb2.ReloadConfigRequest, reload),
    }


def in_threads(method: Method, threads: Executor) -> Answering:
    """Answer in a thread, so that the event loop goes on."""

    def answering(data: bytes, deadline: float | None) -> Awaitable[bytes]:
        return in_thread(threads, method.answer, data, deadline)

    return answering


def handler(
    answering: Answering, check: Callable[[str], None] | None = None
) -> grpc.RpcMethodHandler:
    """A gRPC method handler that turns errors into status codes; `check` may refuse a peer."""

    async def handle(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
        try:
            if check is not None:
                check(context.peer())
            return await answering(data, deadline_of(context))
        except Exception as caught:
            error = status_of(caught)
        return await context.abort(STATUS[int(error.code)], truncated(error.message))

    return grpc.unary_unary_rpc_method_handler(handle)


def deadline_of(context: grpc.aio.ServicerContext) -> float | None:
    """The client's deadline on the clock of time.monotonic(), or None without one."""
    left = context.time_remaining()
    if left is None or left > LONGEST_DEADLINE:
        return None
    return time.monotonic() + left


def status_of(caught: Exception) -> ServingError:
    """The error that the client sees; our own mistakes go to the log."""
    error = from_exception(caught)
    if error.code is Code.INTERNAL:
        log.error("request failed", exc_info=caught)
    return error
