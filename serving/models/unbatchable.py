"""Which signatures can never share a run, told from the graph when a version is loaded.

A request may share a run only if its outputs have one row for each of its input's rows, and none
of them depends on the rows of another. Shapes that contradict that are seen here: inputs and
outputs without a free first dimension, and outputs whose first dimension comes from an operation
that makes as many rows as the data asks for. The rest is found out by comparing runs
(serving/session/sharing.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain

from tensorflow.core.framework import graph_pb2, node_def_pb2

from serving.models.signatures import Signature, TensorInfo

# Operations that make as many rows as the data asks for; and those of their outputs that do (None:
# all of them).
SIZED_BY_DATA: Mapping[str, tuple[int, ...] | None] = {
    **dict.fromkeys(("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2"), (0, 2)),
    **dict.fromkeys(
        (
            *("Where", "StringSplit", "StringSplitV2", "DynamicPartition", "ListDiff"),
            *("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3"),
            *("NonMaxSuppressionV4", "NonMaxSuppressionV5", "NonMaxSuppressionWithOverlaps"),
            *("RaggedRange", "RaggedGather", "StringNGrams", "UnicodeDecode"),
            *("UnicodeDecodeWithOffsets", "DenseToDenseSetOperation"),
        )
    ),
}
# Operations whose rows are those of one input, and which input that is, if not the first.
ROWS_OF = {"Gather": 1, "GatherV2": 1, "ResourceGather": 1, "LookupTableFindV2": 1, "SelectV2": 1}
SAME_ROWS = re.compile(
    r"Identity|Cast|Squeeze|Snapshot|StopGradient|EnsureShape|AsString|String(?!Split|NGrams|Join)\w*"
    r"|Abs|Neg|Exp|Log|Log1p|Sqrt|Rsqrt|Square|Relu\w*|Elu|Selu|Sigmoid|Tanh|Erf|Floor|Ceil|Round"
    r"|Sin|Cos|Soft\w*|LogSoftmax|Sign|IsNan|IsFinite|LogicalNot|Add|AddV2|Sub|Mul|RealDiv|Div"
    r"|BiasAdd|MatMul|Maximum|Minimum|Pow|Equal|NotEqual|Less\w*|Greater\w*|Gather|GatherV2"
    r"|ResourceGather|LookupTableFindV2|SelectV2|Unique\w*|OneHot|DecodeBase64|EncodeBase64"
    r"|StaticRegexReplace|RegexReplace"
)
WRITES = re.compile(
    r"(Resource)?(Scatter\w+|Assign\w*|Apply\w+)|Assign\w*VariableOp"
    r"|LookupTable(Insert|Import|Remove)\w*|Queue(Enqueue|Dequeue)\w*|Count(Up|er)\w*"
)
CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class GraphRows:
    """Where the rows of a graph's tensors come from."""

    def __init__(self, graph: graph_pb2.GraphDef) -> None:
        self._top = {node.name: node for node in graph.node}
        self._functions = {f.signature.name: f for f in graph.library.function}
        self._nodes = {
            name: {node.name: node for node in function.node_def}
            for name, function in self._functions.items()
        }

    def sized_by_data(self, tensor: str) -> str | None:
        """The operation that makes a tensor's rows as many as the data asks for, if one does."""
        node, _, index = tensor.partition(":")
        return self._origin(self._top, node, int(index or 0), frozenset())

    def _origin(
        self,
        nodes: Mapping[str, node_def_pb2.NodeDef],
        name: str,
        index: int,
        seen: frozenset[int],
    ) -> str | None:
        node = nodes.get(name)
        if node is None or id(node) in seen:
            return None
        seen |= {id(node)}
        if node.op in CALLS:
            return self._origin_in_call(node, index, seen)
        if node.op in SIZED_BY_DATA:
            outputs = SIZED_BY_DATA[node.op]

            if outputs is None or index in outputs:
                return str(node.op)
        if not SAME_ROWS.fullmatch(node.op):
            return None
        inputs = [i for i in node.input if not i.startswith("^")]
        source = ROWS_OF.get(node.op, 0)
        return self._origin_of(nodes, inputs[source], seen) if source < len(inputs) else None

    def _origin_of(
        self, nodes: Mapping[str, node_def_pb2.NodeDef], text: str, seen: frozenset[int]
    ) -> str | None:
        """Of an input as nodes write it: `name:1` in a graph, `name:output:1` in a function."""
        parts = text.split(":")
        index = int(parts[-1]) if len(parts) > 1 else 0
        op = nodes[parts[0]].op if parts[0] in nodes else ""
        if len(parts) == 3 and op in SIZED_BY_DATA:
            index = {"y": 0, "idx": 1, "count": 2}.get(parts[1], index)
        return self._origin(nodes, parts[0], index, seen)

    def _origin_in_call(
        self, node: node_def_pb2.NodeDef, index: int, seen: frozenset[int]
    ) -> str | None:
        name = node.attr["f"].func.name
        function = self._functions.get(name)
        if function is None or index >= len(function.signature.output_arg):
            return None
        text = function.ret[function.signature.output_arg[index].name]
        return self._origin_of(self._nodes[name], text, seen)

    def writes(self, tensor: str) -> str | None:
        """An operation that writes to the model's state on the way to a tensor, if one does."""
        start = [tensor.partition(":")[0]]
        kinds = set(self._kinds(self._top, start, set()))
        return next((kind for kind in sorted(kinds) if WRITES.fullmatch(kind)), None)

    def _kinds(
        self, nodes: Mapping[str, node_def_pb2.NodeDef], todo: list[str], entered: set[str]
    ) -> Iterator[str]:
        """The kinds of operations that the named ones need, those in functions as well."""
        done: set[str] = set()
        while todo:
            name = todo.pop()
            node = nodes.get(name)
            if node is None or name in done:
                continue
            done.add(name)
            yield node.op
            todo += [i.removeprefix("^").partition(":")[0] for i in node.input]
            for function in _functions_of(node):
                if function in self._nodes and function not in entered:
                    entered.add(function)
                    inside = self._nodes[function]
                    yield from self._kinds(inside, list(inside), entered)


def _functions_of(node: node_def_pb2.NodeDef) -> Iterator[str]:
    for value in node.attr.values():
        for function in (value.func, *value.list.func):
            if function.name:
                yield function.name


def unbatchable(
    signatures: Mapping[str, Signature], graph: graph_pb2.GraphDef
) -> dict[str, tuple[str, str]]:
    """Tensors of signatures that cannot share a run: which input or output it is, and why."""
    rows, found = GraphRows(graph), {}
    for key, signature in signatures.items():
        if not signature.inputs:
            continue
        for kind, infos in (("input", signature.inputs), ("output", signature.outputs)):
            for info in infos.values():
                why = _why(rows, signature, info, kind)
                if why is not None:
                    found[info.tensor] = (f"{kind} {info.alias} of signature {key}", why)
    return found


def _why(rows: GraphRows, signature: Signature, info: TensorInfo, kind: str) -> str | None:
    if info.shape == ():
        return "it is a scalar"
    if info.shape and info.shape[0] >= 0:
        return f"its first dimension is always {info.shape[0]}"
    if kind == "input":
        return "it has a default" if info.alias in signature.defaults else None
    made = rows.sized_by_data(info.tensor)
    if made is not None:
        return f"its rows are those of a {made}, not the request's"
    written = rows.writes(info.tensor)
    return None if written is None else f"its run changes the model's state ({written})"


def aliases(signatures: Mapping[str, Signature]) -> dict[str, str]:
    """What to call each tensor of the signatures in a message."""
    return {
        info.tensor: f"output {info.alias} of signature {key}"
        for key, signature in signatures.items()
        for info in chain(signature.inputs.values(), signature.outputs.values())
    }
