"""Good requests for minutes while everything around the server goes wrong, one thing at a time.

    python -m benchmarks.chaos [--seconds 600] [--clients 16] [--turn 5] [--json]

Starts a model server on loopback with batching and a request log: a model whose versions change,
one of strings, one whose requests can share no run, and one that is slow. Good clients ask all of
them over gRPC and REST and check each answer, while in turns: versions come, are corrupted and go;
the log's disk is full; the configuration is garbage and good again; clients hang, send halves and
floods; runs without end are given up or pass their deadline; tensors stand for more than there is
memory for; the profiler is called; the clock jumps by a day. At the end SIGTERM, with bad clients
and a run without end still there.

Fails (exit code 1) when a good request is not answered rightly, a bad one is not refused as it
should be, memory grows by more than 5 % after the first minute (or tenth of the run, if longer),
the server does not write its log again, ends with another exit code than 0, or takes longer to end
than it may.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.chaos_disturbances import (
    DISTURBANCES,
    ENDLESS,
    SLOW_TURNS,
    World,
    bad_clients,
    predict,
)
from benchmarks.serving_process import BATCHING, free_port, resident_kib
from benchmarks.soak import (
    GROWTH,
    MODELS,
    Soak,
    Versions,
    growth,
    start_server,
    write_config,
)
from tests.serving.conformance.conftest import predict_request
from tests.serving.models import write_loop, write_text, write_words

DRAIN_SECONDS = 3
END_SECONDS = DRAIN_SECONDS + 4


class Good(Soak):
    """The good clients: how long each answer took, and which were not right."""

    def __init__(self, world: World) -> None:
        super().__init__(world.grpc_port, world.rest_port, 0.002)
        self.milliseconds: dict[str, list[float]] = defaultdict(list)

    def asks(self) -> tuple[Callable[..., None], ...]:
        """Quick ones more often than the slow one."""
        quick = (self._good_grpc, self._good_text, self._good_rest, self._good_words)
        return (*quick, *quick, self._good_slow)

    def _good_slow(self, rng: random.Random, connection: Any) -> None:
        steps = rng.randrange(SLOW_TURNS)
        answer = self._stub.Predict(predict_request("loop", steps=[steps]), timeout=60)
        if list(answer.outputs["steps"].int_val) != [steps]:
            self._fail(f"wrong answer for {steps} steps: {answer}")

    def _count(self, name: str, seconds: float) -> None:
        with self._lock:
            self.milliseconds[name.removeprefix("_good_")].append(seconds * 1e3)


@contextlib.contextmanager
def world_of(folder: Path) -> Iterator[World]:
    """Models, a server, and its end if it is still there."""
    write_text(folder / "text" / "1", folder)
    write_words(folder / "words" / "1")
    write_loop(folder / "loop" / "1")
    versions = Versions(folder)
    write_config(folder, (*MODELS, "loop"))
    flags = [
        *BATCHING, f"--request_log={folder}/requests.jsonl", "--file_system_poll_wait_seconds=1",
        "--model_config_file_poll_wait_seconds=1", f"--drain_seconds={DRAIN_SECONDS}",
    ]  # fmt: skip
    ports = free_port(), free_port()
    server = start_server(folder, *ports, flags, module="benchmarks.chaos_server")
    try:
        yield World(folder, *ports, server, versions)
    finally:
        server.kill()
        server.wait()


def chaos(seconds: float, clients: int, turn: float) -> dict[str, Any]:
    """Run it; see `faults` for what must hold of the result."""
    with tempfile.TemporaryDirectory() as name, world_of(Path(name)) as world:
        good = Good(world)
        threads = [threading.Thread(target=good.client, args=(i,)) for i in range(clients)]
        for thread in threads:
            thread.start()
        memory: list[int] = []
        counts: dict[str, int] = defaultdict(int)
        try:
            disturbed(world, seconds, turn, memory, counts)
            log_before = world.log.stat().st_size
            time.sleep(turn)
        finally:
            good.stop.set()
            for thread in threads:
                thread.join()
        grown = world.log.stat().st_size - log_before
        code, end_seconds = ended(world)
        failures = good.failures + world.faults
    return {
        "good": {name: summary(values) for name, values in sorted(good.milliseconds.items())},
        "failures": failures, "disturbances": dict(counts), "memory_kib": memory,
        "growth": round(growth(memory, seconds), 4), "log_bytes_at_the_end": grown,
        "exit_code": code, "end_seconds": round(end_seconds, 2),
    }  # fmt: skip


def disturbed(
    world: World, seconds: float, turn: float, memory: list[int], counts: dict[str, int]
) -> None:
    """Each disturbance in turn, again and again until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for disturb in DISTURBANCES:
            if world.server.poll() is not None:
                return
            disturb(world, turn)
            counts[disturb.__name__] += 1
            memory.append(resident_kib(world.server.pid))


def ended(world: World) -> tuple[int, float]:
    """SIGTERM while bad clients and a run without end are there: exit code and seconds."""
    channel, call = predict(world)
    with bad_clients(world), channel:
        endless = call.future(predict_request("loop", steps=[ENDLESS]))
        time.sleep(0.3)
        started = time.monotonic()
        world.server.send_signal(signal.SIGTERM)
        code = world.server.wait(60)
        seconds = time.monotonic() - started
        endless.cancel()
    return code, seconds


def summary(milliseconds: list[float]) -> dict[str, float]:
    """How many answers, and how long they took."""
    cuts = statistics.quantiles(milliseconds, n=100) if len(milliseconds) > 1 else [0.0] * 99
    return {
        "answers": len(milliseconds), "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1),
        "max_ms": round(max(milliseconds, default=0.0), 1),
    }  # fmt: skip


def faults(result: dict[str, Any]) -> list[str]:
    """What does not hold."""
    failures = result["failures"]
    found = failures[:5] + ([f"{len(failures)} failures"] if len(failures) > 5 else [])
    if result["growth"] > GROWTH:
        found.append(f"memory grew by {100 * (result['growth'] - 1):.1f} %")
    if not result["log_bytes_at_the_end"]:
        found.append("the request log is written no more")
    if result["exit_code"] != 0:
        found.append(f"exit code {result['exit_code']}")
    if result["end_seconds"] > END_SECONDS:
        found.append(f"the end took {result['end_seconds']} s")
    return found


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"{'good requests':16} {'answers':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}"]
    lines += [
        f"{name:16} {s['answers']:8} {s['p50_ms']:8} {s['p99_ms']:8} {s['max_ms']:8}"
        for name, s in result["good"].items()
    ]
    turns = ", ".join(f"{name} {count}" for name, count in result["disturbances"].items())
    lines += [
        f"turns: {turns}",
        f"memory: {result['memory_kib'][0] >> 10} to {max(result['memory_kib']) >> 10} MiB, "
        f"{100 * (result['growth'] - 1):+.1f} % once settled",
        f"exit code {result['exit_code']} after {result['end_seconds']} s",
        f"faults: {faults(result) or 'none'}",
    ]
    return "\n".join(lines)


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--turn", type=float, default=5.0, help="seconds of a disturbance")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = chaos(options.seconds, options.clients, options.turn)
    shown = json.dumps({**result, "faults": faults(result)}, indent=1)
    print(shown if options.json else table(result))
    return 1 if faults(result) else 0


if __name__ == "__main__":
    sys.exit(main())
