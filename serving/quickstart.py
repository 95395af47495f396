"""`make serve`: export the shipped presets, serve them, ask three questions, stay up.

The questions go over gRPC and over REST to the server that has just started, so what is printed is
what a client gets. The server's log goes to a file, unless `--verbose` is given; every other
argument is the server's.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from serving.client import Client
from serving.errors import ServingError
from zoo.io import cache_folder
from zoo.presets.store import shipped_presets
from zoo.quiet import quiet_when_imported

GRPC, REST = "127.0.0.1:8500", "http://127.0.0.1:8501"
LANGUAGE_MODEL, TRANSLATOR = "lstm_tatoeba_en", "seq2seq_tatoeba_de_en"
PROMPT, SENTENCE = "I would like", "Wo ist der Bahnhof?"
START_LIMIT_S = 600
TICK_S = 0.3
VERBOSE = "--verbose"
EXPORTING = re.compile(r"exporting (\S+) to ")
LINES_IN_A_PIPE = 8  # of progress, at most
TAIL = 5  # lines of the log that are shown when the server ends


def main(argv: Sequence[str] | None = None) -> int:
    """Start the server, print the answers, wait for Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    verbose = VERBOSE in arguments
    flags = [argument for argument in arguments if argument != VERBOSE]
    quiet_when_imported()
    log = cache_folder() / "serve.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stream = None if verbose else stack.enter_context(log.open("wb"))
        server = started(flags, stream)
        if not verbose:
            print(f"the server's log is in {log}", flush=True)
        progress = stack.enter_context(Progress(list(shipped_presets())))
        ready = wait_until_ready(server, lambda: progress.follow(log) if not verbose else None)
    if ready:
        print(answers(), flush=True)
    elif server.poll() and not verbose:
        print("\n".join(["the server has not started:", *tail(log)]), file=sys.stderr)
    return server.wait()


def started(flags: Sequence[str], stream: object) -> subprocess.Popen[bytes]:
    """The server's process, which signals to this one end."""
    command = [sys.executable, "-m", "serving", "--port=8500", "--rest_api_port=8501", *flags]
    # The terminal's Ctrl-C would come twice, and the second ends a server at once.
    server = subprocess.Popen(
        command,
        start_new_session=True,
        stdout=stream,  # type: ignore[call-overload]
        stderr=stream,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.terminate())
    return server


def wait_until_ready(
    server: subprocess.Popen[bytes], tick: Callable[[], None], limit: float = START_LIMIT_S
) -> bool:
    """Whether the server answers; False if it ended first."""
    deadline = time.monotonic() + limit
    while server.poll() is None and time.monotonic() < deadline:
        tick()
        if is_ready(f"{REST}/v1/health/ready"):
            return True
        time.sleep(TICK_S)
    return False


def is_ready(url: str) -> bool:
    """Whether an address answers 200, without a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


class Progress:
    """One bar on a terminal over the presets that are exported; in a pipe a few lines."""

    def __init__(self, names: Sequence[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._names, self._done = names, 0
        self._bar = Bar(TextColumn("{task.description}"), *columns, console=Console())
        self._is_terminal = self._bar.console.is_terminal
        self._task = self._bar.add_task("starting", total=len(names), visible=self._is_terminal)

    def follow(self, log: Path) -> None:
        """Show how far the exports are, by what the server has logged."""
        found = EXPORTING.findall(log.read_text(encoding="utf-8", errors="replace"))
        if not found or found[-1] not in self._names:
            return
        done = self._names.index(found[-1])
        self._bar.update(self._task, completed=done, description=f"exporting {found[-1]}")
        step = -(-len(self._names) // LINES_IN_A_PIPE)
        if not self._is_terminal and done // step > self._done // step:
            print(f"exported {done} of {len(self._names)} presets", flush=True)
        self._done = max(self._done, done)

    def __enter__(self) -> Progress:
        if self._is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        if self._is_terminal:
            count = len(self._names)
            self._bar.update(self._task, completed=count, description="exported and loaded")
            self._bar.stop()


def tail(log: Path) -> list[str]:
    """The last lines of a log."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]


def answers() -> str:
    """The questions' answers and how to ask more."""
    lines = []
    for kind, client in (("gRPC", Client(GRPC)), ("REST", Client.rest(REST))):
        words = client.next_words([PROMPT], model=LANGUAGE_MODEL)[0]
        listed = ", ".join(f"{word} {probability:.3f}" for word, probability in words)
        lines.append(f"next word after {PROMPT!r} ({kind}): {listed}")
    lines.append(translation())
    lines += [
        f"play with it in a browser: {REST}/",
        f"try every signature: {REST}/docs",
        "ask more, in another terminal:",
        f'  .venv/bin/python -m serving.client next "{PROMPT}"',
        f'  curl -d \'{{"inputs": ["{PROMPT}"]}}\' {REST}/v1/models/{LANGUAGE_MODEL}:predict',
        f'  .venv/bin/zoo next "{PROMPT}"     (without the server)',
        "Ctrl-C stops the server",
    ]
    return "\n".join(lines)


def translation() -> str:
    """One translation, where a translation preset is served."""
    try:
        best = Client(GRPC).translate([SENTENCE], model=TRANSLATOR)[0][0]
    except ServingError as error:
        return f"no translation: {error}"
    return f"translation of {SENTENCE!r} (gRPC): {best[0]!r}"


if __name__ == "__main__":
    sys.exit(main())
