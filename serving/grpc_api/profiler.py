"""TensorFlow's profiler service on the gRPC port: capture a trace of the running server.

The package that serves us has no Python classes for these few messages, so they are read and
written by field number.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import tensorflow as tf

from serving.codec import wire
from serving.errors import Code, ServingError, invalid_argument
from serving.grpc_api.methods import Answering, handler
from serving.session.callers import current, in_thread

SERVICE = "tensorflow.ProfilerService"
DURATION, ROOT, SESSION = 1, 5, 6
EMPTY_TRACE, MONITOR_TEXT = 7, 1
LONGEST_MS = 600_000
THREADS = 4
TICK_SECONDS = 0.1
Fields = dict[int, Any]  # an integer or bytes by number


class Profiler:
    """Profile, Terminate and Monitor; one of them at a time, in threads of their own."""

    def __init__(self, check: Callable[[str], None] | None = None) -> None:
        """`check` refuses clients by where they are."""
        self._check = check
        self._running = threading.Lock()
        self._ended = threading.Event()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="profiler")

    def handlers(self) -> grpc.GenericRpcHandler:
        """The generic handler to add to a gRPC server."""
        methods = {"Profile": self.profile, "Terminate": self.terminate, "Monitor": self.monitor}
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                name: handler(self._answering(method), self._check)
                for name, method in methods.items()
            },
        )

    def _answering(self, method: Callable[[Fields], bytes]) -> Answering:
        return lambda data, deadline: in_thread(self._threads, _answer, method, data)

    def profile(self, request: Fields) -> bytes:
        """Trace for the asked time and write the trace below the asked directory."""
        duration = min(int(request.get(DURATION, 0)) or 1000, LONGEST_MS)
        root = request.get(ROOT, b"").decode()
        session = request.get(SESSION, b"").decode()
        with self._only_one():
            found = self._trace(duration, root, session)
        return wire.integer(EMPTY_TRACE, 0 if found else 1)

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        if not self._running.acquire(blocking=False):
            raise ServingError(Code.RESOURCE_EXHAUSTED, "another profile is being taken")
        try:
            self._ended.clear()
            yield
        finally:
            self._running.release()

    def _wait(self, milliseconds: int) -> None:
        """Wait until the time is over, Terminate was called or the client has gone."""
        caller, until = current(), time.monotonic() + milliseconds / 1000
        while (left := until - time.monotonic()) > 0:
            gone = caller is not None and caller.gone
            if gone or self._ended.wait(min(left, TICK_SECONDS)):
                return

    def _trace(self, duration_ms: int, root: str, session: str) -> bool:
        with tempfile.TemporaryDirectory() as directory:
            tf.profiler.experimental.start(directory)
            try:
                self._wait(duration_ms)
            finally:
                tf.profiler.experimental.stop()
            traces = glob.glob(os.path.join(directory, "plugins", "profile", "*", "*"))
            if root and traces:
                # The client names the plugin's folder below its log directory.
                name = session or os.path.basename(os.path.dirname(traces[0]))
                target = os.path.join(root, name)
                os.makedirs(target, exist_ok=True)
                for trace in traces:
                    shutil.copy(trace, target)
            return bool(traces)

    def terminate(self, request: Fields) -> bytes:
        """End a running trace now."""
        self._ended.set()
        return b""

    def monitor(self, request: Fields) -> bytes:
        """A line about the process over the asked time."""
        with self._only_one():
            before = os.times()
            self._wait(min(int(request.get(DURATION, 0)) or 1000, LONGEST_MS))
            after = os.times()
        wall = max(after.elapsed - before.elapsed, 1e-9)
        # The system's estimate of a process's time can go back by a tick.
        busy = max(0.0, after.user + after.system - before.user - before.system)
        text = f"Processor use: {busy / wall:.0%}; threads: {threading.active_count()}"
        return wire.delimited(MONITOR_TEXT, text.encode())


def _answer(method: Callable[[Fields], bytes], data: bytes) -> bytes:
    try:
        return method(_fields(data))
    except (ValueError, OSError, tf.errors.OpError) as error:
        raise invalid_argument(str(error)) from error


def _fields(data: bytes) -> Fields:
    """The last value of each top-level field: integers and byte strings."""
    table: Fields = {}
    for number, kind, start, end in wire.fields(data):
        table[number] = wire.read_varint(data, start)[0] if kind == wire.VARINT else data[start:end]
    return table
