"""A model's signatures, taken apart once at load so that requests only look things up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, struct_pb2

from serving.codec import tensors
from serving.errors import Code, ServingError, invalid_argument, with_names

DEFAULT = "serving_default"
PREDICT_METHOD = "tensorflow/serving/predict"
CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
COMPONENTS = {
    struct_pb2.TypeSpecProto.SPARSE_TENSOR_SPEC: ("indices", "values", "dense_shape"),
    struct_pb2.TypeSpecProto.INDEXED_SLICES_SPEC: ("values", "indices", "dense_shape"),
}


@dataclass(frozen=True)
class TensorInfo:
    """One input or output: its alias, the graph's tensor, its type and shape (None: any rank)."""

    alias: str
    tensor: str
    dtype: int
    shape: tuple[int, ...] | None

    @cached_property
    def text(self) -> str:
        """For example `x: DT_FLOAT [-1, 64]`."""
        shape = "of any rank" if self.shape is None else str(list(self.shape))
        return f"{self.alias}: {types_pb2.DataType.Name(self.dtype)} {shape}"


@dataclass(frozen=True)
class Signature:
    """A named function of a model.

    `inputs` and `outputs` are sorted by alias; `definition` is the SignatureDef as stored.
    """

    key: str
    method: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    definition: meta_graph_pb2.SignatureDef
    defaults: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def expected(self) -> str:
        """What a request must hold, for error messages."""
        return "Expected inputs: {" + ", ".join(s.text for s in self.inputs.values()) + "}."

    @cached_property
    def feeds(self) -> tuple[str, ...]:
        """The graph's tensors to feed, in the order of `inputs`."""
        return tuple(info.tensor for info in self.inputs.values())

    def fetches(self, aliases: Iterable[str]) -> tuple[str, ...]:
        """The graph's tensors of these outputs."""
        return tuple(self.outputs[alias].tensor for alias in aliases)

    def arrays(self, given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The arrays to feed, in the order of `feeds`, checked against the inputs' types."""
        arrays = []
        for index, (alias, info) in enumerate(self.inputs.items()):
            array = given.get(alias)
            if array is None:
                array = self.defaults[alias]
            if array.dtype != tensors.KINDS[info.dtype][0]:
                got = tensors.ENUMS.get(array.dtype, 0)
                raise invalid_argument(
                    f"Expects arg[{index}] to be {tensors.type_name(info.dtype)} but "
                    f"{tensors.type_name(got)} is provided for input {alias}. {self.expected}"
                )
            arrays.append(array)
        return arrays


def named(table: Mapping[str, Signature], key: str, code: Code, missing: str) -> Signature:
    """The signature that a request names, `serving_default` where it names none.

    Args:
        table: a model's signatures.
        key: the request's name.
        code: what the request fails with when there is none.
        missing: TensorFlow Serving's text for that, `{}` for the name.

    Raises:
        ServingError: that text, followed by the names that there are.
    """
    key = key or DEFAULT
    signature = table.get(key)
    if signature is None:
        raise ServingError(code, with_names(missing.format(key), table))
    return signature


def from_definition(key: str, definition: meta_graph_pb2.SignatureDef) -> Signature:
    """Read a SignatureDef."""
    defaults = {
        alias: tensors.decode(tensor, alias) for alias, tensor in definition.defaults.items()
    }
    return Signature(
        key=key,
        method=definition.method_name,
        inputs=_infos(definition.inputs),
        outputs=_infos(definition.outputs),
        definition=definition,
        defaults=defaults,
    )


def _infos(protos: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, TensorInfo]:
    infos = [info for alias, proto in protos.items() for info in _components(alias, proto)]
    return {info.alias: info for info in sorted(infos, key=lambda info: info.alias)}


def _components(alias: str, proto: meta_graph_pb2.TensorInfo) -> list[TensorInfo]:
    """A tensor, or the ones that a ragged or sparse tensor is made of: `y.row_splits` etc."""
    encoding = proto.WhichOneof("encoding")
    if encoding == "coo_sparse":
        return _coo_components(alias, proto)
    if encoding != "composite_tensor":
        return [_info(alias, proto)]
    parts = proto.composite_tensor.components
    names = _component_names(proto.composite_tensor.type_spec.type_spec_class, len(parts))
    named = zip(names, parts, strict=True)
    return [info for name, part in named for info in _components(f"{alias}.{name}", part)]


def _coo_components(alias: str, proto: meta_graph_pb2.TensorInfo) -> list[TensorInfo]:
    rank = -1 if proto.tensor_shape.unknown_rank else len(proto.tensor_shape.dim)
    coo, int64 = proto.coo_sparse, types_pb2.DT_INT64
    return [
        TensorInfo(f"{alias}.indices", coo.indices_tensor_name, int64, (-1, rank)),
        TensorInfo(f"{alias}.values", coo.values_tensor_name, proto.dtype, (-1,)),
        TensorInfo(f"{alias}.dense_shape", coo.dense_shape_tensor_name, int64, (rank,)),
    ]


def _component_names(kind: int, count: int) -> list[str]:
    """TensorFlow's attributes for the components of a type, outer row splits first."""
    if kind == struct_pb2.TypeSpecProto.RAGGED_TENSOR_SPEC:
        splits = [f"row_splits_{i}" for i in range(count - 1)] if count > 2 else ["row_splits"]
        return ["flat_values", *splits][:count]
    names = COMPONENTS.get(kind, ())[:count]
    return [*names, *(f"component_{i}" for i in range(len(names), count))]


def _info(alias: str, proto: meta_graph_pb2.TensorInfo) -> TensorInfo:
    shape = None
    if not proto.tensor_shape.unknown_rank:
        shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    return TensorInfo(alias, proto.name, proto.dtype, shape)


def check_input_names(signature: Signature, given: Iterable[str]) -> None:
    """Refuse missing and unknown inputs, naming what the signature wants."""
    names = set(given)
    wanted = signature.inputs.keys()
    if names == wanted:
        return
    extra, missing = sorted(names - wanted), sorted(wanted - names)
    if len(names) > len(wanted) or (len(names) < len(wanted) and not signature.defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(names)}!={len(wanted)} "
            f"len({{{','.join(sorted(names))}}}) != len({{{','.join(sorted(wanted))}}}). "
            f"Sent extra: {{{','.join(extra)}}}. "
            f"Missing but required: {{{','.join(missing)}}}. {signature.expected}"
        )
    absent = [alias for alias in missing if alias not in signature.defaults]
    if absent or extra:
        alias = absent[0] if absent else extra[0]
        feed = signature.inputs[alias].tensor if absent else "none"
        raise invalid_argument(
            f"Signature input alias: {alias}(feed name: {feed}) not found in request and no "
            "default value provided. Inputs expected to be in the request "
            f"{{{','.join(sorted(wanted))}}}, or default input alias set: "
            f"{{{','.join(sorted(signature.defaults))}}}. {signature.expected}"
        )


def chosen_outputs(signature: Signature, output_filter: Iterable[str]) -> tuple[str, ...]:
    """The outputs to compute: those named, or all."""
    chosen: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {{{','.join(signature.outputs)}}}."
            )
        if alias in chosen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        chosen.append(alias)
    return tuple(sorted(chosen)) or tuple(signature.outputs)
