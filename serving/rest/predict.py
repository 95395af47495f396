"""The predict verb: a JSON body in, the model's outputs as JSON out."""

from __future__ import annotations

from collections.abc import Sequence

from tensorflow_serving.apis import model_pb2

from serving.batching.requests import Inputs, PendingPredict
from serving.codec.tensors import Fetched
from serving.engine import Call, Engine
from serving.errors import Code
from serving.inference import predict as inference
from serving.models import signatures
from serving.models.servable import Servable
from serving.rest import json_body, json_input, json_output


class Body:
    """A predict body, apart from any model; its signature's name goes to the ModelSpec."""

    def __init__(self, text: bytes, spec: model_pb2.ModelSpec, strict: bool) -> None:
        self._document = json_body.parse(text)
        self._key = spec.signature_name = json_body.signature_name(self._document)
        self._in_rows = False
        self._strict = strict

    def inputs(self, servable: Servable) -> Inputs:
        """What it means to a model."""
        signature = _signature(servable, self._key)
        given, self._in_rows = json_input.predict_inputs(
            self._document, signature.inputs, signature.defaults
        )
        return Inputs(signature, tuple(signature.outputs), given)

    def answer(self, servable: Servable, inputs: Inputs, values: Sequence[Fetched]) -> bytes:
        """The answer's body, in the form that the request had."""
        by_name = dict(zip(inputs.outputs, values, strict=True))
        write = json_output.predictions if self._in_rows else json_output.outputs
        return write(by_name, self._strict or servable.strict_json)


class PendingRestPredict(PendingPredict):
    """A predict request that waits for its batch."""

    def __init__(
        self, engine: Engine, call: Call, spec: model_pb2.ModelSpec, text: bytes, strict: bool
    ) -> None:
        self._body = Body(text, spec, strict)
        super().__init__(engine, call, spec)

    def read(self, servable: Servable) -> Inputs:
        return self._body.inputs(servable)

    def write(self, servable: Servable, inputs: Inputs, values: Sequence[Fetched]) -> bytes:
        return self._body.answer(servable, inputs, values)


def predict(
    engine: Engine, call: Call, spec: model_pb2.ModelSpec, text: bytes, strict: bool
) -> bytes:
    """The answer to a predict body, from the thread that asks."""
    body = Body(text, spec, strict)

    def work(servable: Servable) -> bytes:
        inputs = body.inputs(servable)
        values = inference.run(
            servable, inputs.signature, inputs.given, inputs.outputs, call.deadline
        )
        return body.answer(servable, inputs, values)

    answer: bytes = engine.on_model(call, spec, work)
    return answer


def _signature(servable: Servable, key: str) -> signatures.Signature:
    missing = 'Serving signature name: "{}" not found in signature def'
    return signatures.named(servable.signatures, key, Code.INVALID_ARGUMENT, missing)
