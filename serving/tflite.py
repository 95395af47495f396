"""Serving a version's model.tflite with the interpreter instead of a SavedModel."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from serving import signatures, tensors
from serving.errors import Code, ServingError, deadline_exceeded
from serving.loader import LoadOptions, Servable
from serving.signatures import Signature


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
        self.signatures = _signatures(first)
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._free.put(first)
        for _ in range(max(1, count) - 1):
            self._free.put(self._interpreter())

    def _interpreter(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

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
    ) -> list[Any]:
        """Feed tensors by name, run the whole graph (or one signature's), fetch by name."""
        interpreter = self._taken(deadline)
        try:
            return _invoke(interpreter, feeds, arrays, fetches)
        except (ValueError, RuntimeError) as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from None
        finally:
            self._free.put(interpreter)

    def _taken(self, deadline: float | None) -> Any:
        try:
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            return self._free.get(timeout=timeout)
        except queue.Empty:
            raise deadline_exceeded("Timed out waiting for a free interpreter") from None

    def close(self) -> None:
        """Let the interpreters go."""
        while not self._free.empty():
            self._free.get()


def _signatures(interpreter: Any) -> dict[str, Signature]:
    """Signatures whose tensors are named `SIGNATURE/ALIAS`, or `TENSOR` without signatures."""
    listed = interpreter.get_signature_list()
    if not listed:
        inputs = {d["name"].removesuffix(":0"): d for d in interpreter.get_input_details()}
        outputs = {d["name"].removesuffix(":0"): d for d in interpreter.get_output_details()}
        return {signatures.DEFAULT: _signature(signatures.DEFAULT, "", inputs, outputs)}
    table = {}
    for key in listed:
        runner = interpreter.get_signature_runner(key)
        table[key] = _signature(
            key, f"{key}/", runner.get_input_details(), runner.get_output_details()
        )
    if signatures.DEFAULT not in table and len(table) == 1:
        (key,) = table
        table[signatures.DEFAULT] = table[key]
    return table


def _signature(key: str, prefix: str, inputs: Any, outputs: Any) -> Signature:
    definition = meta_graph_pb2.SignatureDef(method_name=signatures.PREDICT_METHOD)
    for details, infos in ((inputs, definition.inputs), (outputs, definition.outputs)):
        for alias, detail in details.items():
            infos[alias].name = f"{prefix}{alias}"
            infos[alias].dtype = _dtype(detail["dtype"])
            for size in detail["shape_signature"]:
                infos[alias].tensor_shape.dim.add(size=int(size))
    return signatures.from_definition(key, definition)


def _dtype(kind: Any) -> int:
    if kind in (np.bytes_, np.object_, np.str_):
        return tensors.DT_STRING
    return tensors.ENUMS[np.dtype(kind)]


def _invoke(interpreter: Any, feeds: Any, arrays: Any, fetches: Any) -> list[Any]:
    prefix, has_signature, _ = feeds[0].rpartition("/") if feeds else ("", "", "")
    if has_signature:
        runner = interpreter.get_signature_runner(prefix)
        named = {f.rpartition("/")[2]: a for f, a in zip(feeds, arrays, strict=True)}
        outputs = runner(**named)
        return [np.copy(outputs[fetch.rpartition("/")[2]]) for fetch in fetches]
    inputs = {d["name"].removesuffix(":0"): d["index"] for d in interpreter.get_input_details()}
    for feed, array in zip(feeds, arrays, strict=True):
        interpreter.resize_tensor_input(inputs[feed], array.shape)
    interpreter.allocate_tensors()
    for feed, array in zip(feeds, arrays, strict=True):
        interpreter.set_tensor(inputs[feed], array)
    interpreter.invoke()
    details = {d["name"].removesuffix(":0"): d["index"] for d in interpreter.get_output_details()}
    return [interpreter.get_tensor(details[fetch]) for fetch in fetches]
