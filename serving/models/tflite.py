"""Serving a version's model.tflite with the interpreter instead of a SavedModel."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated
from ai_edge_litert.interpreter import Interpreter
from flatbuffers import flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2

from serving.codec import tensors
from serving.codec.tensors import Fetched
from serving.errors import Code, ServingError, deadline_exceeded
from serving.models import signatures
from serving.models.servable import LoadOptions, Servable
from serving.models.signatures import Signature, TensorInfo
from serving.session.callers import time_left

Details = Mapping[str, dict[str, Any]]  # what the interpreter tells of each tensor
SEPARATOR = "\0"
STORED_SIGNATURES = b"signature_defs_metadata"


def load(name: str, version: int, path: str, options: LoadOptions) -> Servable:
    """Load a TFLite model: its own signatures, or one default signature of all its tensors."""
    runner = TFLiteRunner(path, options.tflite_interpreters)
    return Servable(name, version, runner.signatures, runner)


class TFLiteRunner:
    """A fixed number of interpreters, each running one request at a time."""

    def __init__(self, path: str, count: int) -> None:
        with open(path, "rb") as file:
            self._content = file.read()
        first = self._interpreter()
        self.signatures = _signatures(first, self._content)
        self._free: queue.SimpleQueue[Interpreter] = queue.SimpleQueue()
        self._free.put(first)
        for _ in range(max(1, count) - 1):
            self._free.put(self._interpreter())

    def _interpreter(self) -> Interpreter:
        try:
            interpreter = Interpreter(model_content=self._content)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"cannot load model.tflite: {error}"
            ) from None
        return interpreter

    def run(
        self,
        feeds: tuple[str, ...],
        arrays: Sequence[np.ndarray],
        fetches: tuple[str, ...],
        deadline: float | None = None,
    ) -> list[Fetched]:
        """Feed tensors by name, run the whole graph (or one signature's), fetch by name."""
        interpreter = self._taken(deadline)
        try:
            return _invoke(interpreter, feeds, arrays, fetches)
        except (ValueError, RuntimeError) as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from None
        finally:
            self._free.put(interpreter)

    def _taken(self, deadline: float | None) -> Interpreter:
        try:
            return self._free.get(timeout=time_left(deadline))
        except queue.Empty:
            raise deadline_exceeded("Timed out waiting for a free interpreter") from None

    def retire(self) -> None:
        """No new requests will come."""

    def abort(self) -> None:
        """Nothing can be done: an interpreter runs to its end."""

    def close(self) -> None:
        """Free the interpreters."""
        while not self._free.empty():
            self._free.get()


def _signatures(interpreter: Interpreter, content: bytes) -> dict[str, Signature]:
    """The signatures of a model: its own, those stored beside it, or one of all its tensors."""
    listed = interpreter.get_signature_list()
    table = {key: _own(interpreter, key) for key in listed}
    if not table:
        inputs, outputs = _tensors(interpreter)
        stored = _stored_definitions(content)
        table = {key: _stored(key, stored[key], inputs, outputs) for key in stored}
        if not table:
            table[signatures.DEFAULT] = _signature(signatures.DEFAULT, inputs, outputs)
    if signatures.DEFAULT not in table and len(table) == 1:
        (key,) = table
        table[signatures.DEFAULT] = table[key]
    return table


def _own(interpreter: Interpreter, key: str) -> Signature:
    """A signature that the interpreter runs by name: its tensors are told apart by KEY\\0ALIAS."""
    runner = interpreter.get_signature_runner(key)
    found = _signature(key, runner.get_input_details(), runner.get_output_details())

    def by_key(infos: Mapping[str, TensorInfo]) -> dict[str, TensorInfo]:
        return {a: replace(info, tensor=f"{key}{SEPARATOR}{a}") for a, info in infos.items()}

    return replace(found, inputs=by_key(found.inputs), outputs=by_key(found.outputs))


def _tensors(interpreter: Interpreter) -> tuple[Details, Details]:
    """Input and output details by the tensors' names."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return {_plain(d["name"]): d for d in inputs}, {_plain(d["name"]): d for d in outputs}


def _plain(name: str) -> str:
    return name.removesuffix(":0")


def _stored_definitions(content: bytes) -> dict[str, meta_graph_pb2.SignatureDef]:
    """SignatureDefs that TensorFlow's older tools keep in a metadata buffer of the model."""
    model = schema_py_generated.Model.GetRootAsModel(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == STORED_SIGNATURES:
            data = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            table = flexbuffers.GetRoot(data).AsMap
            return {
                key: meta_graph_pb2.SignatureDef.FromString(table[key].AsStringBytes)
                for key in (item.AsKey for item in table.Keys)
            }
    return {}


def _stored(
    key: str, definition: meta_graph_pb2.SignatureDef, inputs: Details, outputs: Details
) -> Signature:
    """A stored SignatureDef, its tensors checked against the model's and named as there."""
    found = signatures.from_definition(key, definition)

    def checked(infos: Mapping[str, TensorInfo], details: Details) -> dict[str, TensorInfo]:
        named = {alias: replace(s, tensor=_plain(s.tensor)) for alias, s in infos.items()}
        for info in named.values():
            if info.tensor not in details:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"signature {key} names tensor {info.tensor}, which is not among the "
                    f"model's: {', '.join(details)}",
                )
        return named

    return replace(
        found, inputs=checked(found.inputs, inputs), outputs=checked(found.outputs, outputs)
    )


def _signature(key: str, inputs: Details, outputs: Details) -> Signature:
    definition = meta_graph_pb2.SignatureDef(method_name=signatures.PREDICT_METHOD)
    for details, infos in ((inputs, definition.inputs), (outputs, definition.outputs)):
        for alias, detail in details.items():
            infos[alias].name = _plain(detail["name"])
            infos[alias].dtype = _dtype(detail["dtype"])
            for size in detail["shape_signature"]:
                infos[alias].tensor_shape.dim.add(size=int(size))
    return signatures.from_definition(key, definition)


def _dtype(kind: type) -> int:
    if kind in (np.bytes_, np.object_, np.str_):
        return tensors.DT_STRING
    return tensors.ENUMS[np.dtype(kind)]


def _invoke(
    interpreter: Interpreter,
    feeds: Sequence[str],
    arrays: Sequence[np.ndarray],
    fetches: Sequence[str],
) -> list[Fetched]:
    key, has_signature, _ = fetches[0].partition(SEPARATOR) if fetches else ("", "", "")
    if has_signature:
        runner = interpreter.get_signature_runner(key)
        named = {f.partition(SEPARATOR)[2]: a for f, a in zip(feeds, arrays, strict=True)}
        outputs = runner(**named)
        return [np.copy(outputs[fetch.partition(SEPARATOR)[2]]) for fetch in fetches]
    inputs, outputs = _tensors(interpreter)
    for feed, array in zip(feeds, arrays, strict=True):
        interpreter.resize_tensor_input(inputs[feed]["index"], array.shape)
    interpreter.allocate_tensors()
    for feed, array in zip(feeds, arrays, strict=True):
        interpreter.set_tensor(inputs[feed]["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(outputs[fetch]["index"]) for fetch in fetches]
