"""Batching requests inside TensorFlow's own scheduler, for any loaded graph.

The part of the graph that depends on a signature's inputs is copied into a function, and a
BatchFunction operation around it joins the inputs of concurrent session calls, runs the function
once in C++ threads, and gives each caller its rows. What the function needs from
outside (variables, tables, reads of reference variables) is captured.

Requests whose inputs differ in any dimension but the first are batched apart, so no row is ever
padded and an answer does not depend on what it was batched with.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from serving.config import files as config
from serving.errors import failed_precondition, invalid_argument
from serving.session.tf_private import batch_function, is_reference

Shapes = tuple[tuple[int, ...], ...]


def inner_shapes(arrays: Sequence[np.ndarray]) -> Shapes:
    """Every input's shape without its first dimension."""
    return tuple(array.shape[1:] for array in arrays)


class LoneRequestDetector:
    """Tells requests that come alone from those that run beside others.

    A lone request would only wait for the batch to time out, so it is better run at once.
    """

    def __init__(self, quiet_seconds: float = 0.2) -> None:
        """`quiet_seconds`: how long there must have been no two requests at once."""
        self._quiet_seconds = quiet_seconds
        self._lock = threading.Lock()
        self._running = 0
        self._last_concurrent = -math.inf

    def __enter__(self) -> bool:
        """Count a request in; True when it is alone and was so for a while."""
        now = time.monotonic()
        with self._lock:
            self._running += 1
            if self._running > 1:
                self._last_concurrent = now
            return now - self._last_concurrent > self._quiet_seconds

    def __exit__(self, *details: object) -> None:
        with self._lock:
            self._running -= 1


class Batcher:
    """Adds batched versions of (feeds, fetches) pairs to a graph."""

    def __init__(self, graph: tf.Graph, parameters: Any, name: str) -> None:
        self._graph = graph
        self._parameters = parameters
        self._name = name
        self._splits = parameters.enable_large_batch_splitting.value
        self._largest = parameters.max_batch_size.value
        self._made = 0

    def check(self, arrays: Sequence[np.ndarray]) -> None:
        """Refuse inputs that cannot be part of a batch."""
        sizes = {array.shape[0] if array.ndim else None for array in arrays}
        if None in sizes:
            raise invalid_argument(
                "Batching session Run() input tensors must have at least one dimension"
            )
        if len(sizes) > 1:
            raise invalid_argument(
                "Batching session Run() input tensors must have equal 0th-dimension size; "
                f"got {sorted(s for s in sizes if s is not None)}"
            )
        size = next(iter(sizes), 0) or 0
        if size > self._largest:
            raise invalid_argument(
                f"Task size {size} is larger than maximum input batch size {self._largest}"
            )

    def batched(
        self,
        feeds: tuple[str, ...],
        fetches: tuple[str, ...],
        shapes: Shapes,
        prebatched: bool = False,
    ) -> tuple[list[str], list[str]]:
        """The names to feed and to fetch instead; call with the graph as default graph.

        Rows that were `prebatched` have done their waiting: their batch starts at once.
        """
        unique = list(dict.fromkeys(fetches))
        specs = [
            tf.TensorSpec((None, *shape), self._graph.get_tensor_by_name(feed).dtype)
            for feed, shape in zip(feeds, shapes, strict=True)
        ]
        inputs = [tf.compat.v1.placeholder(s.dtype, s.shape, "batch_in") for s in specs]
        function = self._function(feeds, unique, specs)
        outputs = self._batch_op(function, inputs, prebatched)
        by_fetch = dict(zip(unique, outputs, strict=True))
        return [t.name for t in inputs], [by_fetch[fetch].name for fetch in fetches]

    def _batch_op(
        self,
        function: tf.types.experimental.ConcreteFunction,
        inputs: list[tf.Tensor],
        prebatched: bool,
    ) -> list[tf.Tensor]:
        p = self._parameters
        # The operations of one shared name have one scheduler, with one timeout.
        scheduler = "prebatched" if prebatched else "batcher"
        self._made += 1
        outputs: list[tf.Tensor] = batch_function(
            in_tensors=inputs,
            captured_tensors=function.captured_inputs,
            f=function,
            num_batch_threads=p.num_batch_threads.value,
            max_batch_size=self._largest,
            batch_timeout_micros=0 if prebatched else p.batch_timeout_micros.value,
            max_enqueued_batches=p.max_enqueued_batches.value,
            allowed_batch_sizes=self._sizes(),
            enable_large_batch_splitting=self._splits,
            batch_padding_policy=p.batch_padding_policy.value or "PAD_UP",
            shared_name=f"{self._name}_{scheduler}",
            batching_queue=f"{self._name}_{self._made}",
            Tout=[output.dtype for output in function.outputs],
        )
        return outputs

    def _sizes(self) -> list[int]:
        """Sizes to pad up to. Splitting is told its limit by them: then every size up to it."""
        sizes = list(self._parameters.allowed_batch_sizes)
        if self._splits and not sizes:
            return list(range(1, config.execution_batch_size(self._parameters) + 1))
        return sizes

    def _function(
        self, feeds: Sequence[str], fetches: list[str], specs: list[tf.TensorSpec]
    ) -> tf.types.experimental.ConcreteFunction:
        body, outside = self._cut(feeds, fetches)
        used = {name for node in body.node for name in node.input}

        @tf.function(autograph=False)
        def batch_body(*rows: tf.Tensor) -> list[tf.Tensor]:
            inner = tf.compat.v1.get_default_graph()
            replaced = dict(zip(feeds, rows, strict=True))
            for name, tensor in outside.items():
                replaced[name] = inner.capture(tensor)
            replaced = {name: t for name, t in replaced.items() if _node_input(name) in used}
            return tf.import_graph_def(
                body, input_map=replaced, return_elements=list(fetches), name="batched"
            )

        return batch_body.get_concrete_function(*specs)

    def _cut(
        self, feeds: Sequence[str], fetches: list[str]
    ) -> tuple[tf.compat.v1.GraphDef, dict[str, tf.Tensor]]:
        """The operations between feeds and fetches, and the tensors that enter from outside."""
        outside: dict[str, tf.Tensor] = {}
        inside: set[str] = set()
        fed = {feed.partition(":")[0] for feed in feeds}
        todo = []
        for fetch in fetches:
            if fetch in feeds:
                raise failed_precondition(f"output {fetch} is an input; it cannot be batched")
            todo.append(self._graph.get_tensor_by_name(fetch).op)
        while todo:
            op = todo.pop()
            if op.name in inside:
                continue
            inside.add(op.name)
            todo += [control for control in op.control_inputs if control.name not in fed]
            for tensor in op.inputs:
                if tensor.name in feeds or tensor.name in outside:
                    continue
                if _stays_outside(tensor):
                    outside[tensor.name] = _without_reference(tensor)
                else:
                    todo.append(tensor.op)
        return self._subgraph(inside), outside

    def _subgraph(self, names: set[str]) -> tf.compat.v1.GraphDef:
        whole = self._graph.as_graph_def()
        part = tf.compat.v1.GraphDef(versions=whole.versions)
        part.library.CopyFrom(whole.library)
        part.node.extend(node for node in whole.node if node.name in names)
        for node in part.node:
            node.ClearField("device")
            node.attr.pop("_class", None)
            kept = [i for i in node.input if not i.startswith("^") or i[1:] in names]
            node.input[:] = kept
        return part


def _node_input(tensor: str) -> str:
    """A tensor's name as a node's input list writes it: the first output without its `:0`."""
    return tensor.removesuffix(":0")


def _stays_outside(tensor: tf.Tensor) -> bool:
    """Handles of variables and tables, and reference variables, cannot live in a function."""
    return tensor.dtype == tf.resource or is_reference(tensor)


def _without_reference(tensor: tf.Tensor) -> tf.Tensor:
    return tf.identity(tensor) if is_reference(tensor) else tensor
