"""How the process ends: by signals, in order, and whatever runs.

SIGTERM and Ctrl-C: running requests are answered, for `--drain_seconds` at most; exit code 0.
While models are loading: at once, 0. Twice: at once, 128 + the signal's number. What still runs
`SLACK_SECONDS` after `--drain_seconds` is ended by force, with a line in the log; exit code 124,
or 1 with a trace where Python itself hangs. SIGHUP: `--model_config_file` is read again and the
logs are opened anew; without that flag it is as SIGTERM.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

log = logging.getLogger("serving.process.ending")
FORCED = 124
# What stopping takes beside the draining.
SLACK_SECONDS = 3.0


class StoppedWhileLoading(BaseException):
    """A signal came before there was anything to drain."""


class Signals:
    """The signals of a server's process."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.is_loading = True
        # What SIGHUP does; it stops the server where there is nothing to read again.
        self.on_hangup: Callable[[], None] | None = None

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handle them meanwhile; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {n: signal.signal(n, self._stop) for n in (signal.SIGTERM, signal.SIGINT)}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hang_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait(self) -> None:
        """Block until the server is to stop."""
        while not self.stopping.wait(3600):
            pass

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopping.is_set():
            os._exit(128 + number)
        self.stopping.set()
        if self.is_loading:
            raise StoppedWhileLoading

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        if self.on_hangup is not None:
            threading.Thread(target=self.on_hangup, daemon=True, name="hangup").start()
        elif not self.stopping.is_set():
            self._stop(number, frame)


def end_by_force_after(seconds: float) -> None:
    """End the process by then if it is still there.

    A thread does so with a line in the log; if some operation keeps Python from running threads,
    the fault handler does, which does not need them.
    """

    def end() -> None:
        time.sleep(seconds)
        log.error("runs are still going after --drain_seconds: exit by force, code %d", FORCED)
        leave(FORCED)

    threading.Thread(target=end, daemon=True, name="end-by-force").start()
    with contextlib.suppress(AttributeError, ValueError, OSError):  # stderr is no file
        faulthandler.dump_traceback_later(seconds + 1.0, exit=True)


def leave(code: int) -> None:
    """End the process now, without waiting for threads."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
