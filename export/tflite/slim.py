"""What the converter's flatbuffer holds twice or for nothing is taken out; the answers stay.

- Weights of equal bytes are stored once, whatever signature they are in.
- Inner tensors lose their names, and empty buffers their place; inputs and outputs keep theirs.
- Beside weights in 8 bits the bias of the output layer goes into 16: DEQUANTIZE, which runs once
  for a constant, makes float32 of it. Of the keyboard's 1.5 MB that is 20 kB.
"""

from __future__ import annotations

from typing import TypeAlias

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Model: TypeAlias = schema.ModelT
SubGraph: TypeAlias = schema.SubGraphT
Operator: TypeAlias = schema.OperatorT
OperatorCode: TypeAlias = schema.OperatorCodeT

SMALLEST_BIAS = 4_000  # numbers; with fewer, two more ops cost more than they save
ALIGNMENT = 16  # bytes
BIAS = 2  # among the inputs of FULLY_CONNECTED
HALF_DEQUANTIZE_VERSION = 3


def slim(content: bytes, half_biases: bool = False) -> bytes:
    """The same model in fewer bytes.

    Args:
        content: a `.tflite` flatbuffer.
        half_biases: whether large biases are kept in float16.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if half_biases:
        halve_biases(model)
    share_buffers(model)
    drop_names(model)
    builder = Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class Builder(flatbuffers.Builder):
    """Writes equal vectors (shapes, an op's inputs) once, and weights where devices read them.

    The schema asks for weights at multiples of 16 bytes; the Python builder does not heed it, and
    some processors cannot read numbers elsewhere.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802, flatbuffers' own name
        """The offset of an array's numbers."""
        if x.dtype == np.uint8:  # a buffer's
            self.Prep(ALIGNMENT, x.nbytes)
            return int(super().CreateNumpyVector(x))
        key = (x.dtype.str, x.tobytes())
        if key not in self.written:
            self.written[key] = int(super().CreateNumpyVector(x))
        return self.written[key]


def halve_biases(model: Model) -> None:
    """x W + b with a large b becomes a product, a DEQUANTIZE of b in float16, and an ADD.

    XNNPACK refuses a product whose bias is not float32 in the file, hence the ADD.
    """
    for graph in model.subgraphs:
        biased = [
            operator for operator in graph.operators if has_large_bias(model, graph, operator)
        ]
        biases = {int(operator.inputs[BIAS]) for operator in biased}
        operators = [dequantized_half(model, graph, bias) for bias in sorted(biases)]
        for operator in graph.operators:
            operators.append(operator)
            if any(operator is one for one in biased):
                operators.append(added_afterwards(model, graph, operator))
        graph.operators = operators


def dequantized_half(model: Model, graph: SubGraph, index: int) -> Operator:
    """A DEQUANTIZE that makes a constant tensor out of a float16 copy, which takes its place."""
    full = graph.tensors[index]
    values = np.asarray(model.buffers[full.buffer].data).view(np.float32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.astype(np.float16).tobytes(), np.uint8)
    half = schema.TensorT()
    half.shape, half.type, half.buffer = full.shape, schema.TensorType.FLOAT16, len(model.buffers)
    model.buffers.append(buffer)
    graph.tensors.append(half)
    full.buffer = 0
    code = operator_code(model, schema.BuiltinOperator.DEQUANTIZE, HALF_DEQUANTIZE_VERSION)
    return new_operator(code, [len(graph.tensors) - 1], [index])


def added_afterwards(model: Model, graph: SubGraph, operator: Operator) -> Operator:
    """An ADD of an op's bias, which is taken from the op."""
    (result,), bias = operator.outputs, int(operator.inputs[BIAS])
    product = schema.TensorT()
    product.shape, product.type = graph.tensors[result].shape, schema.TensorType.FLOAT32
    product.buffer = 0
    graph.tensors.append(product)
    operator.inputs = np.array([*operator.inputs[:BIAS], -1], np.int32)
    operator.outputs = np.array([len(graph.tensors) - 1], np.int32)
    add = new_operator(
        operator_code(model, schema.BuiltinOperator.ADD, 1), [*operator.outputs, bias], [result]
    )
    add.builtinOptionsType, add.builtinOptions = (
        schema.BuiltinOptions.AddOptions,
        schema.AddOptionsT(),
    )
    return add


def new_operator(code: int, inputs: list[int], outputs: list[int]) -> Operator:
    """An op of a code's index, without options."""
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    return operator


def has_large_bias(model: Model, graph: SubGraph, operator: Operator) -> bool:
    """Whether an op is x W + b with many numbers in a constant float32 b, and no activation."""
    code = builtin(model.operatorCodes[operator.opcodeIndex])
    if code != schema.BuiltinOperator.FULLY_CONNECTED or len(operator.inputs) <= BIAS:
        return False
    bias = graph.tensors[operator.inputs[BIAS]]
    data = model.buffers[bias.buffer].data
    return (
        operator.inputs[BIAS] >= 0
        and operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.NONE
        and bias.type == schema.TensorType.FLOAT32
        and data is not None
        and len(data) >= 4 * SMALLEST_BIAS
    )


def builtin(code: OperatorCode) -> int:
    """An operator code's number, which old readers look for in another field."""
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def operator_code(model: Model, number: int, version: int) -> int:
    """Index of a built-in op's code, added where it is missing."""
    for index, code in enumerate(model.operatorCodes):
        if builtin(code) == number:
            code.version = max(code.version, version)
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def share_buffers(model: Model) -> None:
    """One buffer for equal bytes, none for nothing; buffer 0 is the empty one."""
    kept: list[schema.BufferT] = [model.buffers[0]]
    first: dict[bytes, int] = {b"": 0}
    places: dict[int, int] = {}
    held = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    for index in sorted(held | {entry.buffer for entry in model.metadata or []}):
        data = model.buffers[index].data
        content = b"" if data is None else bytes(data)
        if content not in first:
            first[content] = len(kept)
            kept.append(model.buffers[index])
        places[index] = first[content]
    model.buffers = kept
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = places[tensor.buffer]
    for entry in model.metadata or []:
        entry.buffer = places[entry.buffer]


def drop_names(model: Model) -> None:
    """Names stay where an application may see them."""
    for graph in model.subgraphs:
        seen = {int(index) for index in (*graph.inputs, *graph.outputs)}
        for index, tensor in enumerate(graph.tensors):
            if index not in seen:
                tensor.name = None
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
