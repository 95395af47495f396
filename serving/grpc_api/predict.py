"""Predict in gRPC's event loop: small requests for models that batch are gathered.

Others go to threads.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from serving.batching.queue import LARGEST_BYTES, Gatherer
from serving.batching.requests import Inputs, Job
from serving.engine import Call, Engine
from serving.errors import invalid_argument
from serving.grpc_api.methods import Method
from serving.inference import predict as inference
from serving.models import signatures
from serving.models.servable import Servable

LARGEST_ELEMENTS = 4 << 10


class GrpcJob(Job):
    """A PredictRequest, answered by a serialized PredictResponse."""

    def __init__(self, engine: Engine, call: Call, request: Any) -> None:
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        self._engine, self._request = engine, request
        super().__init__(engine, call, request.model_spec)

    def read(self, servable: Servable) -> Inputs:
        request = self._request
        name = request.model_spec.signature_name
        signature = inference.predict_signature(servable, name, self._engine.check_methods)
        given = inference.decode_inputs(signature, request.inputs)
        return Inputs(signature, signatures.chosen_outputs(signature, request.output_filter), given)

    def write(self, servable: Servable, inputs: Inputs, values: Sequence[Any]) -> bytes:
        return inference.response(
            servable, inputs.signature, inputs.outputs, values, self._engine.as_content
        )


class GatheredPredict:
    """Answers Predict; used by one event loop."""

    def __init__(self, engine: Engine, method: Method, threads: Executor) -> None:
        self._engine, self._method, self._threads = engine, method, threads
        self._gatherer = Gatherer(threads)

    async def __call__(self, data: bytes, deadline: float | None) -> bytes:
        """The serialized response to a serialized request."""
        if len(data) <= LARGEST_BYTES:
            request = self._method.parse(data)
            if _is_small(request):
                job = GrpcJob(self._engine, Call("GRPC", "Predict", deadline), request)
                if job.gathers:
                    return await self._gatherer.answer(job)
                job.abandon()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._method.answer, data, deadline)


def _is_small(request: Any) -> bool:
    """Whether decoding takes no time worth mentioning, whatever the shapes claim."""
    count = 0
    for tensor in request.inputs.values():
        count += math.prod(max(dim.size, 0) for dim in tensor.tensor_shape.dim)
    return count <= LARGEST_ELEMENTS
