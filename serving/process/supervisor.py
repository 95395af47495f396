"""`zoo serve --supervise`: a small process that starts the server again when it crashes.

An operation that ends the process (a failed check of TensorFlow, a crash in an add-on) takes all
models with it; nothing isolates them from each other. This process imports no TensorFlow. It
passes signals on, ends with the server when that ended in order, and does not try again what
failed at the first start.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

log = logging.getLogger("serving.process.supervisor")
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
ENDING = (signal.SIGTERM, signal.SIGINT)
FAILED_TO_START = 255


@dataclass(frozen=True)
class Backoff:
    """The pauses between a crash and the next start, in seconds."""

    first: float = 0.1
    longest: float = 30.0
    # A server that ran for so long starts again with the first pause.
    steady: float = 60.0

    def pause(self, crashes: int) -> float:
        """The pause after so many crashes, each of them soon after its start."""
        return min(self.first * 2.0 ** min(crashes - 1, 30), self.longest)


class Supervisor:
    """Runs a command until it ends in order."""

    def __init__(self, command: Sequence[str], backoff: Backoff | None = None) -> None:
        self._command, self._backoff = list(command), backoff or Backoff()
        self._child: subprocess.Popen[bytes] | None = None
        self._stop: int | None = None
        self._stopping = threading.Event()

    def run(self) -> int:
        """Run, and run again after crashes; returns the exit code."""
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._pass_on)
        crashes, starts = 0, 0
        while True:
            started, starts = time.monotonic(), starts + 1
            code = self._run_once()
            if self._is_final(code, starts):
                return code if code >= 0 else 128 - code
            lasted = time.monotonic() - started
            crashes = 1 if lasted >= self._backoff.steady else crashes + 1
            pause = self._backoff.pause(crashes)
            log.error("the server ended with %s; started again in %.1f s", told(code), pause)
            self._stopping.wait(pause)

    def _run_once(self) -> int:
        # In a session of its own: the terminal's Ctrl-C comes once, passed on by this process.
        with subprocess.Popen(self._command, start_new_session=True) as self._child:
            if self._stop is not None:  # the signal came before the child
                self._child.send_signal(self._stop)
            return self._child.wait()

    def _is_final(self, code: int, starts: int) -> bool:
        wrong_from_the_start = code == FAILED_TO_START and starts == 1
        return self._stop is not None or code == 0 or wrong_from_the_start

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number in ENDING:
            self._stop = number
            self._stopping.set()
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(number)


def told(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name


def supervise(argv: Sequence[str]) -> int:
    """Run the server of a command line below a supervisor."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s: %(levelname).1s %(name)s] %(message)s"
    )
    return Supervisor([sys.executable, "-m", "serving", *argv, "--supervise=false"]).run()
