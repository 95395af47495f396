"""Good requests while everything around the server goes wrong.

    python -m benchmarks.chaos [--seconds 600] [--clients 16] [--json FILE]

Closed-loop clients send good requests over gRPC and REST, with batching, to four models: one whose
versions change, one of strings, one that can share no run, a slow one. Meanwhile, in turns:

- versions come, are corrupted and go;
- the disk of the request log is full and empty again; the config file is garbage and good again;
- clients fall silent, send halves, leave runs without end or let them pass their deadlines, send
  hostile shapes; the profiler runs.

At the end SIGTERM comes while a run without end goes on. Fails (exit code 1) on a good request
without its right answer, on memory that grows by more than 5 % after the first minute, and on an
end later than the drain time and three seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

from benchmarks.serving_process import BATCHING, free_port
from benchmarks.soak import Soak, Versions, growth, resident_kib, start_server
from serving.codec import wire
from tests.serving.conformance.conftest import predict_request
from tests.serving.models import write_loop, write_text, write_words

MODELS = ("moving", "text", "words", "loop")
STEPS, ENDLESS = 3_000, 2_000_000_000
DRAIN_SECONDS, SLACK_SECONDS = 2, 3.0
PREDICT = "/tensorflow.serving.PredictionService/Predict"
MONITOR = "/tensorflow.ProfilerService/Monitor"
LARGEST_GROWTH = 1.05


class GoodClients(Soak):
    """Clients that ask for nothing wrong; each answer is checked and timed."""

    def __init__(self, grpc_port: int, rest_port: int, pause: float) -> None:
        super().__init__(grpc_port, rest_port, pause)
        self.seconds: list[float] = []

    def client(self, seed: int) -> None:
        """Ask at random until told to stop."""
        rng = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self._rest_port, timeout=60)
        asks: tuple[Callable[..., None], ...] = (
            self._good_grpc, self._good_text, self._good_rest, self._good_words, self._good_slow,
        )  # fmt: skip
        while not self.stop.is_set():
            ask, started = rng.choice(asks), time.perf_counter()
            try:
                ask(rng, connection)
            except Exception as error:
                self._fail(f"{ask.__name__}: {type(error).__name__} {error}")
                connection.close()
            self.seconds.append(time.perf_counter() - started)
            self._count(ask.__name__)
            self.stop.wait(self._pause * rng.random() * 2)
        connection.close()

    def _good_slow(self, rng: random.Random, connection: Any) -> None:
        steps = STEPS + rng.randrange(100)
        answer = self._stub.Predict(predict_request("loop", steps=[steps]), timeout=60)
        if list(answer.outputs["steps"].int_val) != [steps]:
            self._fail(f"wrong answer for {steps} steps: {answer}")


class Troubles:
    """What goes wrong, one thing after another."""

    def __init__(
        self, folder: Path, ports: tuple[int, int], server: subprocess.Popen[bytes], log: Path
    ) -> None:
        self._folder, self._ports, self._server, self._log = folder, ports, server, log
        self._config = folder / "models.config"
        self._good_config = self._config.read_text()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{ports[0]}")
        self._sockets: list[socket.socket] = []
        self._predict = self._channel.unary_unary(PREDICT)
        self.counts: Counter[str] = Counter()

    def next(self, turn: int) -> None:
        """One trouble."""
        troubles = (
            self._full_disk, self._silent_clients, self._bad_config, self._clients_that_leave,
            self._hostile_shapes, self._late_runs, self._profile, self._half_sent, self._relief,
        )  # fmt: skip
        trouble = troubles[turn % len(troubles)]
        trouble()
        self.counts[trouble.__name__.strip("_")] += 1

    def _hang_up(self) -> None:
        self._server.send_signal(signal.SIGHUP)

    def _full_disk(self) -> None:
        self._log.unlink()
        self._log.symlink_to("/dev/full")
        self._hang_up()

    def _bad_config(self) -> None:
        self._config.write_text("model_config_list { nonsense {")
        self._hang_up()

    def _relief(self) -> None:
        """The disk has room, the file is good, and the silent clients go."""
        self._log.unlink()
        self._log.touch()
        self._config.write_text(self._good_config)
        self._hang_up()
        for one in self._sockets:
            one.close()
        self._sockets.clear()

    def _open(self, data: bytes) -> None:
        for port in self._ports:
            one = socket.create_connection(("127.0.0.1", port), timeout=10)
            one.sendall(data)
            self._sockets.append(one)

    def _silent_clients(self) -> None:
        for _ in range(10):
            self._open(b"")

    def _half_sent(self) -> None:
        self._open(b"POST /v1/models/text:predict HTTP/1.1\r\nContent-Length: 99\r\n\r\n{")

    def endless(self, timeout: float | None = None) -> grpc.Future:
        """A run that would not end by itself."""
        data = predict_request("loop", steps=[ENDLESS]).SerializeToString()
        return self._predict.future(data, timeout=timeout)

    def _clients_that_leave(self) -> None:
        calls = [self.endless() for _ in range(2)]
        time.sleep(0.2)
        for call in calls:
            call.cancel()

    def _late_runs(self) -> None:
        for call in [self.endless(0.3) for _ in range(2)]:
            self._refused(call, "DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE")

    def _hostile_shapes(self) -> None:
        for sizes in ([1 << 40], [100_000], [-1], [1 << 62, 1 << 62]):
            request = predict_request("text")
            request.inputs["text"].dtype = 7
            for size in sizes:
                request.inputs["text"].tensor_shape.dim.add(size=size)
            self._refused(self._predict.future(request.SerializeToString()), "INVALID_ARGUMENT")

    def _refused(self, call: grpc.Future, *codes: str) -> None:
        try:
            call.result(timeout=60)
            self.counts["accepted_wrongly"] += 1
        except grpc.RpcError as error:
            if error.code().name not in codes:
                self.counts[f"ended_with_{error.code().name}"] += 1

    def _profile(self) -> None:
        monitor = self._channel.unary_unary(MONITOR)
        calls = [monitor.future(wire.integer(1, 200)) for _ in range(3)]
        for call in calls:
            with contextlib.suppress(grpc.RpcError):  # all but one are refused
                call.result(timeout=60)


def chaos(seconds: float, clients: int, pause: float, turn_seconds: float) -> dict[str, Any]:
    """Run it; returns what was counted."""
    with tempfile.TemporaryDirectory() as name:
        folder, ports = Path(name), (free_port(), free_port())
        for model, write in (("words", write_words), ("loop", write_loop)):
            write(folder / model / "1")
        write_text(folder / "text" / "1", folder)
        versions, log = Versions(folder), folder / "requests.jsonl"
        log.touch()
        flags = [*BATCHING, f"--request_log={log}", f"--drain_seconds={DRAIN_SECONDS}"]
        server = start_server(folder, *ports, flags, MODELS)
        run, troubles = GoodClients(*ports, pause), Troubles(folder, ports, server, log)
        memory = _ask_meanwhile(run, troubles, versions, server, seconds, clients, turn_seconds)
        ended = _end(server, troubles)
    milliseconds = sorted(1000 * taken for taken in run.seconds)
    return {
        "sent": sum(run.counts.values()),
        "failures": run.failures,
        "counts": dict(run.counts),
        "troubles": dict(troubles.counts),
        "median_ms": statistics.median(milliseconds),
        "p99_ms": milliseconds[int(0.99 * (len(milliseconds) - 1))],
        "memory_kib": memory,
        "growth": growth(memory, seconds),
        **ended,
    }


def _ask_meanwhile(
    run: GoodClients,
    troubles: Troubles,
    versions: Versions,
    server: subprocess.Popen[bytes],
    seconds: float,
    clients: int,
    turn_seconds: float,
) -> list[int]:
    """Let the clients ask while things go wrong; the server's memory over time."""
    threads = [threading.Thread(target=run.client, args=(seed,)) for seed in range(clients)]
    memory = []
    for thread in threads:
        thread.start()
    try:
        end, turns = time.monotonic() + seconds, itertools.count()
        while time.monotonic() < end and server.poll() is None:
            turn = next(turns)
            troubles.next(turn)
            if turn % 2 == 0:
                versions.change(turn // 2)
            time.sleep(turn_seconds)
            memory.append(resident_kib(server.pid))
    finally:
        run.stop.set()
        for thread in threads:
            thread.join()
    return memory


def _end(server: subprocess.Popen[bytes], troubles: Troubles) -> dict[str, float]:
    """SIGTERM while a run without end goes on."""
    last = troubles.endless()  # held, or it would be cancelled
    time.sleep(0.3)
    started = time.monotonic()
    server.send_signal(signal.SIGTERM)
    code = server.wait(60)
    last.cancel()
    return {"exit_code": code, "exit_seconds": time.monotonic() - started}


def wrong(result: dict[str, Any], memory: bool = True) -> list[str]:
    """What should not have been."""
    found = list(result["failures"])
    for name, count in result["troubles"].items():
        if name.startswith(("accepted", "ended_with")):
            found.append(f"{name}: {count}")
    if memory and result["growth"] > LARGEST_GROWTH:
        found.append(f"memory grew by {result['growth'] - 1:.1%}")
    if result["exit_code"] or result["exit_seconds"] > DRAIN_SECONDS + SLACK_SECONDS + 1:
        found.append(f"exit code {result['exit_code']} after {result['exit_seconds']:.1f} s")
    return found


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    rows = [
        ("good requests sent", result["sent"]),
        ("without their right answer", len(result["failures"])),
        *((f"trouble: {name.replace('_', ' ')}", n) for name, n in result["troubles"].items()),
        ("median and p99 of good requests", f"{result['median_ms']:.1f} {result['p99_ms']:.1f} ms"),
        ("memory after the first minute", f"{result['growth'] - 1:+.1%}"),
        ("SIGTERM", f"exit code {result['exit_code']} after {result['exit_seconds']:.1f} s"),
    ]
    return "\n".join(f"| {name} | {value} |" for name, value in [("what", "count"), *rows])


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print the table; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--pause", type=float, default=0.01, help="between a client's requests")
    parser.add_argument("--json", type=Path, help="write the result there too")
    given = parser.parse_args(argv)
    result = chaos(given.seconds, given.clients, given.pause, min(3.0, given.seconds / 12))
    print(table(result))
    for text in wrong(result)[:20]:
        print("WRONG:", text, file=sys.stderr)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))
    return 1 if wrong(result) else 0


if __name__ == "__main__":
    sys.exit(main())
