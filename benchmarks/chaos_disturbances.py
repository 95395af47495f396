"""What goes wrong around the server of `benchmarks/chaos.py`, one function each.

Each gets the world and its seconds, and leaves the world as it was.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from benchmarks.serving_load import METHOD
from benchmarks.soak import Versions
from serving.codec import wire
from tests.serving.conformance.conftest import predict_request

SLOW_TURNS, ENDLESS = 2_000, 2_000_000_000
HOSTILE = ([1 << 40], [100_000], [-1], [1 << 62, 1 << 62])
BAD_CLIENTS = ("silent:100", "half_heads:50", "half_bodies:50", "endless_heads:2",
               "large_bodies:2", "grpc_silent:50", "grpc_half_messages:50")  # fmt: skip
MONITOR = "/tensorflow.ProfilerService/Monitor"


@dataclass
class World:
    """The server and what is around it."""

    folder: Path
    grpc_port: int
    rest_port: int
    server: subprocess.Popen[bytes]
    versions: Versions
    turns: Iterator[int] = field(default_factory=itertools.count)
    faults: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        """The request log."""
        return self.folder / "requests.jsonl"


def versions_come_and_go(world: World, seconds: float) -> None:
    """Two are added, two broken, most removed."""
    for _ in range(4):
        world.versions.change(next(world.turns))
        time.sleep(seconds / 4)


def log_disk_full(world: World, seconds: float) -> None:
    """No file of the server can grow, its log's first of all."""
    was = resource.prlimit(world.server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(world.server.pid, resource.RLIMIT_FSIZE, (0, was[1]))
    time.sleep(seconds)
    resource.prlimit(world.server.pid, resource.RLIMIT_FSIZE, was)


def config_garbage(world: World, seconds: float) -> None:
    """models.config is no configuration, then one without models, then good again."""
    path = world.folder / "models.config"
    good = path.read_text()
    for bad in ("model_config_list { config { name:", random.randbytes(99).hex()):
        path.write_text(bad)
        time.sleep(seconds / 3)
    path.write_text(good)
    time.sleep(seconds / 3)


@contextlib.contextmanager
def bad_clients(world: World) -> Iterator[None]:
    """Clients that hang, send halves, pour."""
    ports = [f"--rest={world.rest_port}", f"--grpc={world.grpc_port}"]
    command = [sys.executable, "-m", "benchmarks.attack_clients", *BAD_CLIENTS, *ports]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child.stdout.readline()  # type: ignore[union-attr]
        yield
    finally:
        child.communicate(timeout=30)


def bad_clients_come(world: World, seconds: float) -> None:
    """They stay for the turn."""
    with bad_clients(world):
        time.sleep(seconds)


def predict(world: World) -> tuple[grpc.Channel, grpc.UnaryUnaryMultiCallable]:
    """A connection of its own, and its Predict."""
    channel = grpc.insecure_channel(f"127.0.0.1:{world.grpc_port}")
    return channel, channel.unary_unary(
        METHOD, request_serializer=lambda request: request.SerializeToString()
    )


def refused(world: World, call: grpc.Future, *codes: str) -> None:
    """A bad request must be refused with one of these codes."""
    error = call.exception()
    if error is None or error.code().name not in codes:
        world.faults.append(f"not refused with {' or '.join(codes)}: {error}")


def runs_without_end(world: World, seconds: float) -> None:
    """Their clients leave, or their deadlines pass."""
    channel, call = predict(world)
    with channel:
        endless = predict_request("loop", steps=[ENDLESS])
        left = [call.future(endless) for _ in range(2)]
        time.sleep(seconds / 4)
        for one in left:
            one.cancel()
        for late in [call.future(endless, timeout=seconds / 4) for _ in range(2)]:
            # Ending them restores the session, and the other's run may end with it.
            refused(world, late, "DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE")
    time.sleep(seconds / 2)


def tensors_without_end(world: World, seconds: float) -> None:
    """Shapes that stand for more than the request holds."""
    channel, call = predict(world)
    with channel:
        for sizes in HOSTILE:
            request = predict_request("moving", x=[1.0])
            del request.inputs["x"].tensor_shape.dim[:]
            for size in sizes:
                request.inputs["x"].tensor_shape.dim.add(size=size)
            for _ in range(5):
                refused(world, call.future(request, timeout=60), "INVALID_ARGUMENT")
            time.sleep(seconds / len(HOSTILE))


def profiler(world: World, seconds: float) -> None:
    """Somebody watches; others are told to wait."""
    with grpc.insecure_channel(f"127.0.0.1:{world.grpc_port}") as channel:
        watch = channel.unary_unary(MONITOR)
        asked = wire.integer(1, max(1, int(seconds * 500)))  # the duration in milliseconds
        for future in [watch.future(asked, timeout=seconds + 5) for _ in range(8)]:
            future.exception()


def clock_jumps(world: World, seconds: float) -> None:
    """A day on, and back."""
    for _ in range(2):
        world.server.send_signal(signal.SIGUSR1)
        time.sleep(seconds / 2)


Disturbance = Callable[[World, float], None]
DISTURBANCES: tuple[Disturbance, ...] = (
    versions_come_and_go, log_disk_full, config_garbage, bad_clients_come,
    runs_without_end, tensors_without_end, profiler, clock_jumps,
)  # fmt: skip
