"""What bad clients do to the others: every case with its bound.

    python -m benchmarks.attack [--seconds 5] [--rounds 3] [--only NAME...] [--json]

Starts a model server on loopback, with timeouts of three seconds, and measures good clients over
REST and gRPC, without and with each kind of bad ones beside them, in turns. Fails (exit code 1) if
the others' 99th percentile is above its bound times the normal, an other is not answered rightly,
the bad ones are told anything but what they should be, or the server's memory grows beyond the
bound; at the end the server must be gone soon after SIGTERM, whoever sits there.

A case is a line of `CASES`; what its clients do is a coroutine in `attack_clients.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving_load import Ask, grpc_clients, rest_clients
from benchmarks.serving_process import free_port, resident_kib

# Differences below this are the scheduler's.
NOISE_MS = 10.0
GOOD_CLIENTS, GOOD_PAUSE = 4, 0.01
MODEL, TEXT = "text", "the cat is small"
END_SECONDS = 6.0
# Short enough for every client to be told within a measurement.
HURRY = [
    "--rest_api_header_timeout_in_ms=3000", "--rest_api_body_timeout_in_ms=3000",
    "--grpc_handshake_timeout_in_ms=3000",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A kind of bad clients, and what must hold while they are there.

    Args:
        name: of the coroutine in `attack_clients`.
        count: how many of them there are.
        told: what they may be told: HTTP statuses, `closed`, `reset`.
        slower: the bound of the others' 99th percentile, times the normal.
        mib: by how much the server's memory may grow.
    """

    name: str
    count: int = 1000
    told: frozenset[str] = frozenset()
    slower: float = 2.0
    mib: float = 200.0


def case(name: str, told: str = "", count: int = 1000, slower: float = 2.0, mib: float = 200.0):
    """A line of the table."""
    return Case(name, count, frozenset(told.split()), slower, mib)


CASES = [
    case("silent", "closed"),
    case("silent", "closed", count=5000),
    case("half_heads", "408 503 closed"),
    case("half_bodies", "408 503"),
    case("dribbled_heads", "408"),
    case("endless_heads", "431 reset", count=8),
    case("large_bodies", "413 reset", count=8),
    case("many_at_once", "200 reset", count=20),
    case("deaf", "reset", count=3),
    case("comers_and_goers", count=50),
    case("grpc_silent", "closed reset"),
    case("grpc_half_messages", "closed reset"),
    case("grpc_resets", "closed reset", count=4),
    # These are served as the others are, so the others wait their turn among them.
    case("askers", "200 429 503", count=500, slower=50.0),
    case("bodies_of_200_mb", "400", count=1, slower=50.0, mib=2000.0),
]


@dataclass
class Result:
    """What was measured in a case."""

    case: Case
    normal_ms: list[float] = field(default_factory=list)
    attacked_ms: list[float] = field(default_factory=list)
    grown_mib: float = 0.0
    told: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def slower(self) -> float:
        """The others' 99th percentile over the normal one, medians of the rounds."""
        normal, attacked = map(statistics.median, (self.normal_ms, self.attacked_ms))
        return 1.0 if attacked - normal < NOISE_MS else attacked / normal

    def faults(self) -> list[str]:
        """The bounds that do not hold."""
        found = list(self.failures)
        if self.slower > self.case.slower:
            found.append(f"others are {self.slower:.1f} times slower")
        if self.grown_mib > self.case.mib:
            found.append(f"memory grew by {self.grown_mib:.0f} MiB")
        if others := set(self.told) - self.case.told:
            found.append(f"told {sorted(others)}")
        return found

    def as_json(self) -> dict[str, object]:
        """A row of the table."""
        rounded = {
            k: [round(ms, 1) for ms in getattr(self, k)] for k in ("normal_ms", "attacked_ms")
        }
        return {
            "attack": self.case.name, "clients": self.case.count, **rounded,
            "slower": round(self.slower, 2), "slower_at_most": self.case.slower,
            "grown_mib": round(self.grown_mib, 1), "mib_at_most": self.case.mib,
            "told": self.told, "faults": self.faults(),
        }  # fmt: skip


@dataclass(frozen=True)
class Server:
    """Where the attacked server is."""

    rest: int
    grpc: int
    pid: int

    def resident_mib(self) -> float:
        """Its memory."""
        return resident_kib(self.pid) / 1024


Told = dict[str, dict[str, int]]  # attack -> what its clients were told -> how often


@contextlib.contextmanager
def attackers(server: Server, cases: Sequence[Case]) -> Iterator[Told]:
    """Bad clients, from when all have begun; what they were told is known when they are gone."""
    command = [sys.executable, "-m", "benchmarks.attack_clients"]
    who = [f"{case.name}:{case.count}" for case in cases]
    ports = [f"--rest={server.rest}", f"--grpc={server.grpc}"]
    with subprocess.Popen(
        [*command, *who, *ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", f"{who} did not begin"
        told: Told = {}
        yield told
        told.update(json.loads(child.communicate()[0]))


def measure(server: Server, chosen: Case, seconds: float, rounds: int) -> Result:
    """Good clients without and with the bad ones, in turns."""
    result = Result(chosen)
    before = server.resident_mib()
    for _ in range(rounds):
        result.normal_ms.append(percentile(server, seconds, result.failures))
        with attackers(server, [chosen]) as told:
            result.attacked_ms.append(percentile(server, seconds, result.failures))
            result.grown_mib = max(result.grown_mib, server.resident_mib() - before)
        for what, times in told[chosen.name].items():
            result.told[what] = result.told.get(what, 0) + times
    return result


def percentile(server: Server, seconds: float, failures: list[str]) -> float:
    """The good clients' 99th percentile in milliseconds."""
    try:
        return asyncio.run(_percentile(server, seconds))
    except Exception as error:
        failures.append(f"an other was not answered: {type(error).__name__} {error}"[:200])
        return float("inf")


async def _percentile(server: Server, seconds: float) -> float:
    latencies: list[float] = []

    async def client(ask: Ask, end: float) -> None:
        while time.perf_counter() < end:
            before = time.perf_counter()
            await ask()
            latencies.append(time.perf_counter() - before)
            await asyncio.sleep(GOOD_PAUSE)

    rest = rest_clients(server.rest, MODEL, TEXT)(GOOD_CLIENTS)
    grpc = grpc_clients(server.grpc, MODEL, TEXT)(GOOD_CLIENTS)
    async with rest as first, grpc as second:
        end = time.perf_counter() + seconds
        await asyncio.gather(*(client(ask, end) for ask in [*first, *second]))
    return sorted(latencies)[int(len(latencies) * 0.99)] * 1000


@contextlib.contextmanager
def started(flags: Sequence[str] = ()) -> Iterator[Server]:
    """A server of the tests' models, in a process of its own."""
    from benchmarks.serving_process import process
    from tests.serving.models import write_all

    with tempfile.TemporaryDirectory() as name:
        config = write_all(Path(name))
        rest, grpc = free_port(), free_port()
        command = ["-m", "serving", f"--port={grpc}", f"--rest_api_port={rest}",
                   f"--model_config_file={config}", *flags]  # fmt: skip
        with process(command, rest) as pid:
            yield Server(rest, grpc, pid)


def end_among_them() -> float:
    """Seconds from SIGTERM to the end of a server that all kinds of halves sit on."""
    names = ("silent", "half_heads", "half_bodies", "grpc_silent", "grpc_half_messages")
    with started() as server, attackers(server, [Case(name, 200) for name in names]):
        before = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        while _is_alive(server.pid) and time.monotonic() - before < 60:
            time.sleep(0.05)
        return time.monotonic() - before


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def row(result: Result) -> str:
    """A line of the printed table."""
    chosen = result.case
    normal, attacked = map(statistics.median, (result.normal_ms, result.attacked_ms))
    told = ", ".join(f"{what}: {times}" for what, times in sorted(result.told.items()))
    return (
        f"| {chosen.name} | {chosen.count} | {normal:.1f} | {attacked:.1f} | {chosen.slower:g} × "
        f"| {result.grown_mib:.0f} / {chosen.mib:.0f} | {told} "
        f"| {'; '.join(result.faults()) or 'holds'} |"
    )


COLUMNS = ("bad clients", "how many", "others' p99 ms without", "with them", "at most",
           "MiB grown / at most", "they are told", "")  # fmt: skip
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def main() -> int:
    """Run the cases and print their table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these attacks only")
    parser.add_argument("--json", action="store_true", help="a JSON line a case")
    options = parser.parse_args()
    if not options.json:
        print(HEAD, flush=True)
    faults = 0
    with started(HURRY) as server:
        percentile(server, 2.0, [])  # what is done once is done
        for chosen in (c for c in CASES if not options.only or c.name in options.only):
            result = measure(server, chosen, options.seconds, options.rounds)
            faults += len(result.faults())
            print(json.dumps(result.as_json()) if options.json else row(result), flush=True)
    if not options.only:
        took = end_among_them()
        faults += took > END_SECONDS
        print(
            json.dumps({"attack": "end", "seconds": round(took, 1), "at_most": END_SECONDS})
            if options.json
            else f"\ngone {took:.1f} s after SIGTERM (at most {END_SECONDS:g})"
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
