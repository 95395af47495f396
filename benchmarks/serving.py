"""Requests per second, latency and processor time of the model server, beside its alternatives.

    python -m benchmarks.serving [--next-word BASE_PATH] [--translate BASE_PATH] [--seconds 5]
        [--parts bare,plain,batching,fastapi,litserve,litserve-batching]

Closed-loop clients at concurrency 1, 8 and 32 over gRPC and REST; without paths the shipped
presets are exported and used. Beside the server stand (a) the bare SavedModel signature called
in-process, one text at a time and with full batches of 32, and (b) the same SavedModel behind
FastAPI + uvicorn and behind LitServe as it comes and with its own dynamic batching
(`pip install fastapi litserve`), if they are installed. The server batches by the shipped file.
The server's processor time is read from /proc, without the load generator's.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib.util
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONCURRENCIES = (1, 8, 32)
START_SECONDS = 180
TICKS = os.sysconf("SC_CLK_TCK")
CONTEXT = (
    "i would like to know what the man in the street thinks of all these new houses near the old"
)
SOURCE = "wo ist der bahnhof und wie komme ich am besten dorthin ?"
MODELS = {"next_word": CONTEXT, "translate": SOURCE}
PARTS = ("bare", "plain", "batching", "fastapi", "litserve", "litserve-batching")


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


HEADER = (
    f"{'what':<22}{'model':<11}{'conc':>4}{'req/s':>10}{'p50 ms':>9}{'p99 ms':>9}"
    f"{'server ms':>11}{'client ms':>11}   (ms of processor time a request)"
)


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processor_seconds(pid: int) -> float:
    """User and system time of a process and its children so far."""
    total = 0.0
    for task in [pid, *_children(pid)]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        direct = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return direct + [grand for child in direct for grand in _children(child)]
    return []


@contextlib.contextmanager
def process(arguments: list[str], port: int) -> Iterator[int]:
    """A server process that accepts connections on a port; stopped at the end."""
    child = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + START_SECONDS
        while not _accepts(port):
            if child.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{' '.join(arguments)} did not start")
            time.sleep(0.5)
        yield child.pid
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(60)
        # Workers that a framework leaves behind would slow down the measurements after it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


Ask = Callable[[], None]


def grpc_asker(port: int, model: str, text: str) -> Callable[[], Ask]:
    """Clients that send one prepared gRPC request again and again."""
    import grpc
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.inputs["text"].dtype = 7
    request.inputs["text"].tensor_shape.dim.add(size=1)
    request.inputs["text"].string_val.append(text.encode())
    data = request.SerializeToString()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

    def make() -> Ask:
        return lambda: call(data, timeout=120) and None

    return make


def rest_asker(port: int, model: str, text: str) -> Callable[[], Ask]:
    """Clients that send one prepared REST request again and again, each on its connection."""
    body = json.dumps({"instances": [text]})
    path = f"/v1/models/{model}:predict"

    def make() -> Ask:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

        def ask() -> None:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                raise RuntimeError(content.decode())

        return ask

    return make


def closed_loop(make: Callable[[], Ask], clients: int, seconds: float) -> tuple[list[float], float]:
    """Latencies in seconds of all requests, and the time that all took together."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    end = [0.0]

    def work(index: int) -> None:
        ask = make()
        while time.perf_counter() < end[0]:
            start = time.perf_counter()
            ask()
            latencies[index].append(time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(clients)]
    start = time.perf_counter()
    end[0] = start + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [value for part in latencies for value in part], time.perf_counter() - start


def measure(
    what: str, model: str, make: Callable[[], Ask], clients: int, seconds: float, pid: int
) -> Result:
    """One closed-loop run after two short ones: a model's first two runs prepare its graph."""
    for _ in range(2):
        closed_loop(make, clients, min(1.0, seconds / 2))
    server, client = processor_seconds(pid), time.process_time()
    latencies, took = closed_loop(make, clients, seconds)
    server, client = processor_seconds(pid) - server, time.process_time() - client
    count = len(latencies)
    cuts = statistics.quantiles(latencies, n=100) if count > 1 else [latencies[0]] * 99
    return Result(
        what, model, clients, count / took, cuts[49] * 1e3, cuts[98] * 1e3,
        server / count * 1e3, client / count * 1e3,
    )  # fmt: skip


def bare(model: str, base_path: str, text: str, seconds: float) -> list[Result]:
    """The signature called in this process: one text, then full batches (time a text)."""
    import numpy as np

    from benchmarks.serving_baselines import newest
    from serving import flags, loader

    options = loader.load_options(flags.parse([]), None)
    servable = loader.load(model, 1, newest(base_path), options)
    signature = servable.signatures["serving_default"]
    fetches = signature.fetches(signature.outputs)
    results = []
    for batch in (1, 32):
        texts = np.array([text.encode()] * batch, object)
        run = lambda texts=texts: servable.runner.run(signature.feeds, [texts], fetches)  # noqa: E731
        run()
        busy, latencies = time.process_time(), []
        start = time.perf_counter()
        while time.perf_counter() < start + seconds:
            before = time.perf_counter()
            run()
            latencies.append(time.perf_counter() - before)
        took, busy = time.perf_counter() - start, time.process_time() - busy
        count = len(latencies) * batch
        cuts = statistics.quantiles(latencies, n=100)
        results.append(
            Result(f"bare, batch {batch}", model, 1, count / took, cuts[49] * 1e3,
                   cuts[98] * 1e3, busy / count * 1e3, 0.0)
        )  # fmt: skip
    servable.close()
    return results


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
    from serving.defaults import BATCHING_CONFIG

    grpc_port, rest_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "models.config"
        listed = "".join(
            f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}\n'
            for name, path in paths.items()
        )
        config.write_text(f"model_config_list {{ {listed} }}")
        arguments = ["-m", "serving", f"--port={grpc_port}", f"--rest_api_port={rest_port}",
                     f"--model_config_file={config}"]  # fmt: skip
        if batching:
            arguments += ["--enable_batching", f"--batching_parameters_file={BATCHING_CONFIG}"]
        with process(arguments, rest_port) as pid:
            label = "batching" if batching else "plain"
            for model in paths:
                for kind, asker, port in (
                    ("gRPC", grpc_asker, grpc_port),
                    ("REST", rest_asker, rest_port),
                ):
                    make = asker(port, model, MODELS[model])
                    for clients in CONCURRENCIES:
                        yield measure(f"{kind} {label}", model, make, clients, options.seconds, pid)


def baseline_results(kind: str, paths: dict[str, str], options: Any) -> Iterator[Result]:
    """One of the alternatives with one model at a time."""
    for model, path in paths.items():
        port = free_port()
        arguments = ["-m", "benchmarks.serving_baselines", kind, f"--port={port}",
                     f"--model={model}={path}"]  # fmt: skip
        with process(arguments, port) as pid:
            make = rest_asker(port, model, MODELS[model])
            for clients in CONCURRENCIES:
                yield measure(kind, model, make, clients, options.seconds, pid)


def results(options: argparse.Namespace) -> Iterator[Result]:
    """Every measurement, as it is made."""
    paths = model_paths(options)
    for part in options.parts.split(","):
        if part == "bare":
            for model, path in paths.items():
                yield from bare(model, path, MODELS[model], options.seconds)
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
    if not options.json:
        print(HEADER)
    for result in results(options):
        print(json.dumps(vars(result)) if options.json else result.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
