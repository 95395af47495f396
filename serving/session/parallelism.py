"""How many threads a model's runs share, and so how many batches run side by side.

TensorFlow splits each operation among all cores. For a recurrent model, whose loop takes small
steps, that costs more than it brings: measured on two cores, one thread a run takes a sixth to a
third less processor time, and two batches side by side answer 1.4 to 1.8 times as many requests
as one batch on both cores. So a small model with loops and no convolutions gets one thread a run,
unless the flags or a session config file say otherwise; others keep TensorFlow's default.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.processors import usable_cores

if TYPE_CHECKING:
    from tensorflow.core.framework import graph_pb2
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

LOOPS = frozenset({"While", "StatelessWhile", "Enter"})
CONVOLUTIONS = frozenset({"Conv2D", "Conv3D", "DepthwiseConv2dNative", "FusedConv2DBiasActivation"})
# Above, a single request gains from having all cores, as reading the weights takes its time.
LARGEST_BYTES = 64 << 20
# The place of the pool for requests in a session; the first is that of TensorFlow's own calls.
REQUEST_POOL = 1


def own_thread_pools() -> None:
    """Let each session have its own threads; TensorFlow reads it when its first device is made."""
    os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")


def session_config(
    given: config_pb2.ConfigProto, meta_graph: meta_graph_pb2.MetaGraphDef, path: str
) -> config_pb2.ConfigProto:
    """The ConfigProto for a model: `given`, with the number of threads a run where that is open."""
    chosen = with_pools(given)
    if not given.intra_op_parallelism_threads and is_small_and_looped(meta_graph, path):
        chosen.intra_op_parallelism_threads = 1
    return chosen


def with_pools(given: config_pb2.ConfigProto) -> config_pb2.ConfigProto:
    """`given` with threads of its own for loading.

    TensorFlow's operations wait for each other in one pool for the whole process. Runs that take
    long would keep versions from being loaded, and with them the session whose restoring ends such
    a run.
    """
    chosen = type(given)()
    chosen.CopyFrom(given)
    del chosen.session_inter_op_thread_pool[:]
    chosen.session_inter_op_thread_pool.add(global_name="serving_loads")
    chosen.session_inter_op_thread_pool.extend(given.session_inter_op_thread_pool)
    if not given.session_inter_op_thread_pool:
        name = "" if given.use_per_session_threads else "serving_requests"
        chosen.session_inter_op_thread_pool.add(global_name=name)
    return chosen


def is_small_and_looped(meta_graph: meta_graph_pb2.MetaGraphDef, path: str) -> bool:
    """Whether a SavedModel is a small recurrent model."""
    operations = _operations(meta_graph.graph_def)
    if operations.isdisjoint(LOOPS) or operations & CONVOLUTIONS:
        return False
    variables = sum(file.stat().st_size for file in Path(path, "variables").glob("*"))
    return variables + int(meta_graph.ByteSize()) <= LARGEST_BYTES


def _operations(graph: graph_pb2.GraphDef) -> set[str]:
    """The kinds of operations of a graph and its functions."""
    nodes = [graph.node, *(function.node_def for function in graph.library.function)]
    return {node.op for part in nodes for node in part}


def parallel_batches(config: config_pb2.ConfigProto) -> int:
    """How many runs keep all cores busy."""
    cores = usable_cores()
    return max(1, cores // (config.intra_op_parallelism_threads or cores))
