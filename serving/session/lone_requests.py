"""Telling a request that comes alone from those that could share a run."""

from __future__ import annotations

import math
import threading
import time


class LoneRequestDetector:
    """Tells requests that come alone from those that run beside others.

    A lone request would only wait for the batch to time out, so it is better run at once.
    """

    def __init__(self, quiet_seconds: float = 0.2) -> None:
        """`quiet_seconds`: how long there must have been no two requests at once."""
        self._quiet_seconds = quiet_seconds
        self._lock = threading.Lock()
        self._running = 0
        self._last_concurrent = -math.inf

    def __enter__(self) -> bool:
        """Count a request in; True when it is alone and was so for a while."""
        now = time.monotonic()
        with self._lock:
            self._running += 1
            if self._running > 1:
                self._last_concurrent = now
            return now - self._last_concurrent > self._quiet_seconds

    def __exit__(self, *details: object) -> None:
        with self._lock:
            self._running -= 1
