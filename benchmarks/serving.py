"""Requests per second, latency and processor time of the model server, beside its alternatives.

    python -m benchmarks.serving [--next-word BASE_PATH] [--translate BASE_PATH] [--seconds 5]
        [--parts bare,lone,plain,batching,fastapi,litserve,litserve-batching]

Closed-loop clients at concurrency 1, 8 and 32 over gRPC and REST; without paths the shipped
presets are exported and used. Beside the server stand (a) the bare SavedModel called in-process,
one text at a time and with full batches of 32 (`lone`: in turns with one client of the server, as
what the server adds to the latency), in two ways: `signature` is what `tf.saved_model.load` gives,
`session` what the server runs, without the server; and (b) the same SavedModel behind
FastAPI + uvicorn and behind LitServe as it comes and with its own dynamic batching
(`pip install fastapi litserve`), if they are installed. The server batches by the shipped file.
The server's processor time is read from /proc, without the load generator's.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.serving_bare import BARE_CALLS
from benchmarks.serving_load import (
    Clients,
    blocking_grpc,
    blocking_rest,
    closed_loop,
    grpc_clients,
    repeated,
    rest_clients,
)
from benchmarks.serving_process import BATCHING, free_port, process, processor_seconds, served
from serving.session.parallelism import own_thread_pools

CONCURRENCIES = (1, 8, 32)
CONTEXT = (
    "i would like to know what the man in the street thinks of all these new houses near the old"
)
SOURCE = "wo ist der bahnhof und wie komme ich am besten dorthin ?"
MODELS = {"next_word": CONTEXT, "translate": SOURCE}
FULL_BATCH = 32
LONE_STARTS, LONE_TURN, WARM_UP_SECONDS = 4, 0.25, 2.0
PARTS = ("bare", "lone", "plain", "batching", "fastapi", "litserve", "litserve-batching")


@dataclass(frozen=True)
class Result:
    """One measurement."""

    what: str
    model: str
    concurrency: int
    per_second: float
    p50_ms: float
    p99_ms: float
    server_ms: float
    client_ms: float

    def line(self) -> str:
        """A row of the table."""
        return (
            f"{self.what:<22}{self.model:<11}{self.concurrency:>4}{self.per_second:>10.1f}"
            f"{self.p50_ms:>9.2f}{self.p99_ms:>9.2f}{self.server_ms:>11.3f}{self.client_ms:>11.3f}"
        )


@dataclass(frozen=True)
class Extra:
    """What an interface adds to the bare call's median latency for one client, with quartiles."""

    interface: str
    model: str
    extra_ms: float
    extra_ms_low: float
    extra_ms_high: float

    def line(self) -> str:
        """A row of the table."""
        spread = f"({self.extra_ms_low:+.2f} to {self.extra_ms_high:+.2f})"
        return f"{self.interface:<22}{self.model:<11}{1:>4}{self.extra_ms:>+10.2f} ms {spread}"


HEADER = (
    f"{'what':<22}{'model':<11}{'conc':>4}{'req/s':>10}{'p50 ms':>9}{'p99 ms':>9}"
    f"{'server ms':>11}{'client ms':>11}   (ms of processor time a request)"
)


def measure(
    what: str, model: str, clients: Clients, count: int, seconds: float, pid: int
) -> Result:
    """One closed-loop run after two short ones: a model's first two runs prepare its graph."""
    for _ in range(2):
        closed_loop(clients, count, min(1.0, seconds / 2))
    server, client = processor_seconds(pid), time.process_time()
    latencies, took = closed_loop(clients, count, seconds)
    server, client = processor_seconds(pid) - server, time.process_time() - client
    done = len(latencies)
    cuts = statistics.quantiles(latencies, n=100) if done > 1 else [latencies[0]] * 99
    return Result(
        what, model, count, done / took, cuts[49] * 1e3, cuts[98] * 1e3,
        server / done * 1e3, client / done * 1e3,
    )  # fmt: skip


def bare(model: str, base_path: str, text: str, seconds: float) -> Iterator[Result]:
    """The signature called in this process: one text, then full batches (time a text)."""
    for kind, open_calls in BARE_CALLS.items():
        with open_calls(base_path) as run:
            for batch in (1, FULL_BATCH):
                texts = [text] * batch
                repeated(partial(run, texts), WARM_UP_SECONDS)
                busy, start = time.process_time(), time.perf_counter()
                latencies = repeated(partial(run, texts), seconds)
                took, busy = time.perf_counter() - start, time.process_time() - busy
                done = len(latencies) * batch
                cuts = statistics.quantiles(latencies, n=100)
                yield Result(
                    f"{kind}, batch {batch}", model, 1, done / took, cuts[49] * 1e3,
                    cuts[98] * 1e3, busy / done * 1e3, 0.0,
                )  # fmt: skip


def lone(model: str, base_path: str, text: str, seconds: float) -> Iterator[Extra]:
    """What the server adds to one client's latency: bare calls and interfaces in short turns.

    The machine's own speed moves by more than what is measured, so only neighbours are compared;
    and one load of a model may be a tenth slower than the next, so all are started several times.
    """
    extra: dict[str, list[float]] = {}
    for _ in range(LONE_STARTS):
        for name, values in lone_start(model, base_path, text, seconds / LONE_STARTS).items():
            extra.setdefault(name, []).extend(values)
    for name, values in extra.items():
        low, middle, high = statistics.quantiles(values, n=4)
        yield Extra(name, model, round(middle, 2), round(low, 2), round(high, 2))


def lone_start(model: str, base_path: str, text: str, seconds: float) -> dict[str, list[float]]:
    """Milliseconds over the bare calls by interface, a value a turn, of one start of all."""
    with contextlib.ExitStack() as stack:
        bases = {
            kind: partial(stack.enter_context(open_calls(base_path)), [text])
            for kind, open_calls in BARE_CALLS.items()
        }
        at = stack.enter_context(served({model: base_path}, BATCHING))
        interfaces: dict[str, Callable[[], Any]] = {
            "gRPC": blocking_grpc(at.grpc, model, text),
            "REST": blocking_rest(at.rest, model, text),
        }
        for call in (*bases.values(), *interfaces.values()):
            repeated(call, WARM_UP_SECONDS)
        extra: dict[str, list[float]] = {}
        for _ in range(max(4, round(seconds / LONE_TURN))):
            taken = {
                name: statistics.median(repeated(call, LONE_TURN)) * 1e3
                for name, call in (bases | interfaces).items()
            }
            for base, name in itertools.product(bases, interfaces):
                extra.setdefault(f"{name} over {base}", []).append(taken[name] - taken[base])
    return extra


def model_paths(options: argparse.Namespace) -> dict[str, str]:
    """Base paths by kind of model: given ones, or the shipped presets' exports."""
    given = {"next_word": options.next_word, "translate": options.translate}
    if any(given.values()):
        return {kind: path for kind, path in given.items() if path}
    from serving.client import LANGUAGE_MODEL, TRANSLATION_MODEL
    from serving.defaults import shipped_config

    names = {LANGUAGE_MODEL: "next_word", TRANSLATION_MODEL: "translate"}
    listed = shipped_config().model_config_list.config
    return {names[model.name]: model.base_path for model in listed if model.name in names}


def server_results(paths: dict[str, str], batching: bool, options: Any) -> Iterator[Result]:
    """The model server over gRPC and REST."""
    label = "batching" if batching else "plain"
    with served(paths, BATCHING if batching else []) as at:
        for model in paths:
            for name, clients in (
                ("gRPC", grpc_clients(at.grpc, model, MODELS[model])),
                ("REST", rest_clients(at.rest, model, MODELS[model])),
            ):
                for count in CONCURRENCIES:
                    yield measure(f"{name} {label}", model, clients, count, options.seconds, at.pid)


def baseline_results(kind: str, paths: dict[str, str], options: Any) -> Iterator[Result]:
    """One of the alternatives with one model at a time."""
    for model, path in paths.items():
        port = free_port()
        arguments = ["-m", "benchmarks.serving_baselines", kind, f"--port={port}",
                     f"--model={model}={path}"]  # fmt: skip
        with process(arguments, port) as pid:
            clients = rest_clients(port, model, MODELS[model])
            for count in CONCURRENCIES:
                yield measure(kind, model, clients, count, options.seconds, pid)


def results(options: argparse.Namespace) -> Iterator[Result | Extra]:
    """Every measurement, as it is made."""
    paths = model_paths(options)
    for part in options.parts.split(","):
        if part == "bare":
            for model, path in paths.items():
                yield from bare(model, path, MODELS[model], options.seconds)
        elif part == "lone":
            for model, path in paths.items():
                yield from lone(model, path, MODELS[model], options.seconds)
        elif part in ("plain", "batching"):
            yield from server_results(paths, part == "batching", options)
        elif importlib.util.find_spec(part.partition("-")[0]) is None:
            print(f"{part} is not installed and left out", file=sys.stderr)
        else:
            yield from baseline_results(part, paths, options)


def main() -> int:
    """Measure and print a table, or JSON lines with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--next-word", help="base path of a language model's SavedModel")
    parser.add_argument("--translate", help="base path of a translation model's SavedModel")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a measurement")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    own_thread_pools()  # the bare session is to have its own, as it has in the server
    if not options.json:
        print(HEADER)
    for result in results(options):
        print(json.dumps(vars(result)) if options.json else result.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
