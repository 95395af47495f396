"""One version of a model and the requests that use it."""

from __future__ import annotations

import enum
import threading

from serving.errors import ServingError
from serving.models.servable import Servable

# Changes when a version's directory is replaced: inode and time of change; None far away.
Stamp = tuple[int, int] | None


class State(enum.IntEnum):
    """States of a version, numbered as in GetModelStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class ModelVersion:
    """One version of a model, from the moment it is wanted until it is gone."""

    def __init__(self, name: str, version: int, path: str, stamp: Stamp = None) -> None:
        self.name, self.version, self.path, self.stamp = name, version, path, stamp
        self.state = State.START
        self.error: ServingError | None = None
        self.servable: Servable | None = None
        self.wanted = True
        # Where to load it from again, if it is wanted anew while it is being unloaded.
        self.again: tuple[str, Stamp] | None = None
        self._lock = threading.Lock()
        self._open = False
        self._running = 0
        self._idle = threading.Event()

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.version}}}"

    def open(self, servable: Servable) -> None:
        """From now on requests may use it."""
        self.servable = servable
        self._open = True

    @property
    def loaded(self) -> Servable:
        """The loaded version; only for a request that has acquired it."""
        if self.servable is None:
            raise RuntimeError(f"{self} was used without acquiring it")
        return self.servable

    def acquire(self) -> bool:
        """Count a request in; False when the version no longer takes requests."""
        with self._lock:
            self._running += self._open
            return self._open

    def release(self) -> None:
        """Count a request out."""
        with self._lock:
            self._running -= 1
            if not self._running and not self._open:
                self._idle.set()

    def drain(self) -> None:
        """Take no more requests and wait for those that run."""
        with self._lock:
            self._open = False
            if not self._running:
                return
        self._idle.wait()
