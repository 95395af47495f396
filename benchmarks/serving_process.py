"""Servers in processes of their own, and the processor time that they take."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from serving.defaults import BATCHING_CONFIG

START_SECONDS = 180
BATCHING = ["--enable_batching", f"--batching_parameters_file={BATCHING_CONFIG}"]
TICKS = os.sysconf("SC_CLK_TCK")


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


def resident_kib(pid: int) -> int:
    """A process's resident memory."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


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


@dataclass(frozen=True)
class Served:
    """A running model server."""

    pid: int
    grpc: int
    rest: int


@contextlib.contextmanager
def served(paths: dict[str, str], arguments: list[str]) -> Iterator[Served]:
    """The model server with these models, in a process of its own."""
    grpc_port, rest_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "models.config"
        listed = "".join(
            f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}\n'
            for name, path in paths.items()
        )
        config.write_text(f"model_config_list {{ {listed} }}")
        command = ["-m", "serving", f"--port={grpc_port}", f"--rest_api_port={rest_port}",
                   f"--model_config_file={config}", *arguments]  # fmt: skip
        with process(command, rest_port) as pid:
            yield Served(pid, grpc_port, rest_port)
