"""Predict in gRPC's event loop: small requests for models that batch wait here for their batch.

Others go to threads. Each request is parsed once, whichever way it goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor

from tensorflow_serving.apis import predict_pb2

from serving.batching.requests import Inputs, PendingPredict
from serving.batching.scheduler import LARGEST_BYTES, BatchScheduler
from serving.codec.tensors import Fetched
from serving.engine import Call, Engine
from serving.grpc_api.methods import Method
from serving.inference import predict as inference
from serving.models import signatures
from serving.models.servable import Servable
from serving.session.callers import in_thread

LARGEST_ELEMENTS = 4 << 10


class PendingGrpcPredict(PendingPredict):
    """A PredictRequest, answered by a serialized PredictResponse."""

    def __init__(self, engine: Engine, call: Call, request: predict_pb2.PredictRequest) -> None:
        self._engine, self._request = engine, request
        super().__init__(engine, call, request.model_spec)

    def read(self, servable: Servable) -> Inputs:
        request = self._request
        name = request.model_spec.signature_name
        signature = inference.predict_signature(servable, name, self._engine.check_methods)
        given = inference.decode_inputs(signature, request.inputs)
        return Inputs(signature, signatures.chosen_outputs(signature, request.output_filter), given)

    def write(self, servable: Servable, inputs: Inputs, values: Sequence[Fetched]) -> bytes:
        return inference.response(
            servable, inputs.signature, inputs.outputs, values, self._engine.as_content
        )


class BatchedPredict:
    """Answers Predict; used by one event loop."""

    def __init__(self, engine: Engine, method: Method, threads: Executor) -> None:
        self._engine, self._method, self._threads = engine, method, threads
        self._scheduler = BatchScheduler(threads)

    async def __call__(self, data: bytes, deadline: float | None) -> bytes:
        """The serialized response to a serialized request."""
        if len(data) > LARGEST_BYTES:
            return await in_thread(self._threads, self._method.answer, data, deadline)
        request = self._method.parse(data)
        if self._engine.batches(request.model_spec) and _is_small(request):
            pending = PendingGrpcPredict(self._engine, Call("GRPC", "Predict", deadline), request)
            if pending.can_batch:
                return await self._scheduler.schedule(pending)
            pending.abandon()
        return await in_thread(self._threads, self._method.respond, request, deadline)


def _is_small(request: predict_pb2.PredictRequest) -> bool:
    """Whether decoding takes no time worth mentioning, whatever the shapes claim."""
    count = 0
    for tensor in request.inputs.values():
        count += math.prod(max(dim.size, 0) for dim in tensor.tensor_shape.dim)
    return count <= LARGEST_ELEMENTS
