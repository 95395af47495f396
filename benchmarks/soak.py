"""Good and bad requests for minutes while versions are added, removed and corrupted.

    python -m benchmarks.soak [--seconds 600] [--clients 32] [--pause 0] [--batching]

Starts a model server on loopback, sends gRPC and REST requests from closed-loop clients, and
every five seconds changes the versions of one model. Another model answers as many words as there
are in a request, so its requests can share no run. Fails (exit code 1) on a wrong answer, a
dropped good request, a bad request that is not refused cleanly, resident memory that grows by
more than 5 % after the first minute (or tenth of the run, if longer), or an exit code but 0.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import random
import shutil
import signal
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
from tensorflow_serving.apis import prediction_service_pb2_grpc

from benchmarks.serving_process import BATCHING, free_port, resident_kib
from tests.serving.conformance.conftest import predict_request
from tests.serving.models import write_half_plus, write_text, write_words

CHANGE_SECONDS = 5.0
START_SECONDS = 180
GROWTH = 1.05
MODELS = ("moving", "text", "words")
PLUS = {0: 2.0, 1: 3.0}
BAD_BODIES = ('{"instances": ["x"]}', "{", '{"inputs": {"z": 1}}', "[]", '{"instances": [[1], 2]}')


class Versions:
    """The versions of the model `moving`: even ones add two, odd ones add three."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "moving"
        self._sources = {}
        for parity, plus in PLUS.items():
            write_half_plus(folder / f"source_{parity}" / "1", plus)
            self._sources[parity] = folder / f"source_{parity}" / "1"
        self._numbers = itertools.count(1)
        self._good: list[Path] = []
        self._bad: list[Path] = []
        self._folder.mkdir()
        self.add()

    def add(self) -> None:
        """A new version appears, as a whole."""
        number = next(self._numbers)
        hidden = self._folder / f".{number}"
        shutil.copytree(self._sources[number % 2], hidden)
        self._good.append(hidden.rename(self._folder / str(number)))

    def corrupt(self) -> None:
        """A broken version appears, and the oldest one's file is overwritten."""
        broken = self._folder / str(next(self._numbers))
        broken.mkdir()
        (broken / "saved_model.pb").write_bytes(random.randbytes(500))
        self._bad.append(broken)
        if len(self._good) > 1:
            (self._good[0] / "saved_model.pb").write_bytes(b"overwritten")

    def remove(self) -> None:
        """The broken ones and all good ones but the newest go."""
        for path in [*self._bad, *self._good[:-1]]:
            shutil.rmtree(path)
        self._bad, self._good = [], self._good[-1:]

    def change(self, turn: int) -> None:
        """One change: add, add, corrupt, remove, in turn."""
        (self.add, self.add, self.corrupt, self.remove)[turn % 4]()


class Soak:
    """The clients, what they count, and when they stop."""

    def __init__(self, grpc_port: int, rest_port: int, pause: float) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._rest_port = rest_port
        self._pause = pause
        self.stop = threading.Event()
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def asks(self) -> tuple[Callable[..., None], ...]:
        """What clients ask, one as often as the other."""
        return (
            self._good_grpc, self._good_text, self._good_rest, self._good_words,
            self._bad_grpc, self._bad_rest,
        )  # fmt: skip

    def client(self, seed: int) -> None:
        """Ask at random until told to stop."""
        rng, asks = random.Random(seed), self.asks()
        connection = http.client.HTTPConnection("127.0.0.1", self._rest_port, timeout=60)
        while not self.stop.is_set():
            ask = rng.choice(asks)
            started = time.perf_counter()
            try:
                ask(rng, connection)
            except Exception as error:
                self._fail(f"{ask.__name__}: {type(error).__name__} {error}")
                connection.close()
            self._count(ask.__name__, time.perf_counter() - started)
            if self._pause:
                self.stop.wait(self._pause * rng.random() * 2)
        connection.close()

    def _count(self, name: str, seconds: float) -> None:
        with self._lock:
            self.counts[name.strip("_")] += 1

    def _fail(self, text: str) -> None:
        with self._lock:
            self.failures.append(text[:500])

    def _good_grpc(self, rng: random.Random, connection: Any) -> None:
        x = float(rng.randrange(1000))
        answer = self._stub.Predict(predict_request("moving", x=[x]), timeout=60)
        plus = PLUS[answer.model_spec.version.value % 2]
        if list(answer.outputs["y"].float_val) != [x / 2 + plus]:
            self._fail(f"wrong answer for {x}: {answer}")

    def _good_text(self, rng: random.Random, connection: Any) -> None:
        words = rng.randrange(6)
        request = predict_request("text", "score", text=[b" ".join([b"cat"] * words)])
        answer = self._stub.Predict(request, timeout=60)
        if list(answer.outputs["tokens"].int_val) != [words + 1]:
            self._fail(f"wrong answer for {words} words: {answer}")

    def _good_rest(self, rng: random.Random, connection: Any) -> None:
        x = float(rng.randrange(1000))
        status, content = self._post(connection, "moving", json.dumps({"instances": [x]}))
        allowed = [[x / 2 + plus] for plus in PLUS.values()]
        if status != 200 or content["predictions"] not in allowed:
            self._fail(f"wrong answer for {x}: {status} {content}")

    def _good_words(self, rng: random.Random, connection: Any) -> None:
        given = [f"{rng.random()}" for _ in range(rng.choice([0, 0, 1, 2]))]
        if rng.random() < 0.5:
            request = predict_request("words", text=[" ".join(given).encode()])
            answer = self._stub.Predict(request, timeout=60).outputs["words"]
            words = [word.decode() for word in answer.string_val]
        else:
            body = json.dumps({"inputs": [" ".join(given)]})
            _, content = self._post(connection, "words", body)
            words = content.get("outputs", content)
        if words != given:
            self._fail(f"wrong answer for {given}: {words}")

    def _bad_grpc(self, rng: random.Random, connection: Any) -> None:
        request = predict_request(rng.choice(["nobody", "moving", "text"]), rng.choice(["", "s"]))
        try:
            self._stub.Predict(request, timeout=60)
            self._fail(f"accepted: {request}")
        except grpc.RpcError as error:
            if error.code().name not in ("NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION"):
                self._fail(f"not a clean refusal: {error.code()} {error.details()}")

    def _bad_rest(self, rng: random.Random, connection: Any) -> None:
        status, content = self._post(connection, "moving", rng.choice(BAD_BODIES))
        if status != 400 or not content.get("error"):
            self._fail(f"not a clean refusal: {status} {content}")

    def _post(self, connection: Any, model: str, body: str) -> tuple[int, Any]:
        connection.request("POST", f"/v1/models/{model}:predict", body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def write_config(folder: Path, names: Sequence[str] = MODELS) -> Path:
    """The configuration of these models, two versions of each."""
    models = "".join(
        f'config {{ name: "{name}" base_path: "{folder / name}" model_platform: "tensorflow" '
        "model_version_policy { latest { num_versions: 2 } } }\n"
        for name in names
    )
    config = folder / "models.config"
    config.write_text(f"model_config_list {{ {models} }}")
    return config


def start_server(
    folder: Path, grpc_port: int, rest_port: int, flags: Sequence[str], module: str = "serving"
) -> subprocess.Popen[bytes]:
    """A server of the folder's models.config; returns when it answers."""
    server = subprocess.Popen(
        [sys.executable, "-m", module, f"--port={grpc_port}", f"--rest_api_port={rest_port}",
         f"--model_config_file={folder}/models.config", "--max_num_load_retries=0", *flags],
        stderr=(folder / "server.log").open("wb"),
    )  # fmt: skip
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", rest_port, timeout=5)
            connection.request("GET", "/v1/health/ready")
            if connection.getresponse().status == 200:
                return server
        except OSError:
            time.sleep(0.5)
    server.kill()
    raise RuntimeError("the server did not start: " + (folder / "server.log").read_text()[-2000:])


def soak(seconds: float, clients: int, pause: float, batching: bool = False) -> dict[str, Any]:
    """Run it; returns counts, failures, memory in KiB over time, and the server's exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_text(folder / "text" / "1", folder)
        write_words(folder / "words" / "1")
        versions = Versions(folder)
        write_config(folder)
        ports = free_port(), free_port()
        server = start_server(folder, *ports, flags=BATCHING if batching else [])
        run = Soak(*ports, pause)
        threads = [threading.Thread(target=run.client, args=(i,)) for i in range(clients)]
        memory = []
        try:
            for thread in threads:
                thread.start()
            end, turns = time.monotonic() + seconds, itertools.count()
            while time.monotonic() < end and server.poll() is None:
                time.sleep(min(CHANGE_SECONDS, max(0.1, seconds / 12)))
                versions.change(next(turns))
                memory.append(resident_kib(server.pid))
        finally:
            run.stop.set()
            for thread in threads:
                thread.join()
            server.send_signal(signal.SIGTERM)
            code = server.wait(60)
    return {
        "counts": dict(run.counts),
        "failures": run.failures,
        "memory_kib": memory,
        "exit_code": code,
    }


def growth(memory: list[int], seconds: float) -> float:
    """The highest memory over what it was after the first minute or tenth of the run."""
    settled = int(len(memory) * max(60.0, seconds / 10) / max(seconds, 60.0))
    return max(memory[settled:], default=0) / memory[settled] if settled < len(memory) else 1.0


def main() -> int:
    """Run and judge; prints the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--pause", type=float, default=0.0, help="mean pause between requests")
    parser.add_argument("--batching", action="store_true", help="batch by the shipped file")
    options = parser.parse_args()
    result = soak(options.seconds, options.clients, options.pause, options.batching)
    grown = growth(result["memory_kib"], options.seconds)
    print(json.dumps({**result, "growth": round(grown, 4)}, indent=1))
    good = not result["failures"] and grown <= GROWTH and result["exit_code"] == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
