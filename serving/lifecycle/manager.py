"""Versions of models: loading, serving, draining, unloading.

A model's new version is loaded (and warmed up) before the one it replaces is drained and
unloaded, and a version that fails to load leaves the old one serving. Requests look models up in
a table that is replaced as a whole, never changed in place.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.errors import Code, ServingError, from_exception, invalid_argument, not_found
from serving.models.servable import Servable

log = logging.getLogger("serving.lifecycle.manager")
MOST_ENDED = 200


class State(enum.IntEnum):
    """States of a version, numbered as in GetModelStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class Entry:
    """One version of a model, from the moment it is wanted until it is gone."""

    def __init__(self, name: str, version: int, path: str, stamp: Any = None) -> None:
        self.name, self.version, self.path, self.stamp = name, version, path, stamp
        self.state = State.START
        self.error: ServingError | None = None
        self.servable: Servable | None = None
        self.wanted = True
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
    def opened(self) -> Servable:
        """The loaded version; only for a request that has entered."""
        if self.servable is None:
            raise RuntimeError(f"{self} was used without entering it")
        return self.servable

    def enter(self) -> bool:
        """Count a request in; False when the version no longer takes requests."""
        with self._lock:
            self._running += self._open
            return self._open

    def leave(self) -> None:
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


@dataclass(frozen=True)
class Model:
    """What a request may find of a model: its available versions and its labels."""

    versions: Mapping[int, Entry]
    latest: Entry | None
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryPolicy:
    """How often a failed load is tried again, and after which pause."""

    retries: int = 5
    pause_seconds: float = 60.0


Load = Callable[[str, int, str], Servable]


class Manager:
    """All versions of all models of a server."""

    def __init__(self, load: Load, retry: RetryPolicy, parallel_loads: int = 1) -> None:
        self._load = load
        self._retry = retry
        self._slots = threading.Semaphore(max(1, parallel_loads))
        self.changed = threading.Condition(threading.RLock())
        self._entries: dict[str, dict[int, Entry]] = {}
        self._ended: dict[str, dict[int, Entry]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._table: dict[str, Model] = {}
        self._closing = False

    # Requests ---------------------------------------------------------------------------------

    def enter(self, name: str, version: int | None = None, label: str | None = None) -> Entry:
        """An available version, kept loaded until the caller calls its `leave`.

        Raises:
            ServingError: NOT_FOUND without such a version, INVALID_ARGUMENT for a label.
        """
        while True:
            model = self._table.get(name)
            if label is not None:
                version = self._labelled(model, label)
            entry = None
            if model is not None:
                entry = model.latest if version is None else model.versions.get(version)
            if entry is None:
                request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
                raise not_found(f"Servable not found for request: {request}")
            if entry.enter():
                return entry

    @staticmethod
    def _labelled(model: Model | None, label: str) -> int:
        if model is None or label not in model.labels:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return model.labels[label]

    # Status -----------------------------------------------------------------------------------

    def status(self, name: str) -> list[Entry]:
        """Every version that is or was there, highest first."""
        with self.changed:
            known = self._ended.get(name, {}) | self._entries.get(name, {})
            return [known[version] for version in sorted(known, reverse=True)]

    def available(self, name: str) -> list[int]:
        """The versions that take requests."""
        model = self._table.get(name)
        return sorted(model.versions) if model is not None else []

    def loaded(self) -> list[Entry]:
        """The latest available version of every model."""
        return [model.latest for model in self._table.values() if model.latest is not None]

    def wanted(self, name: str) -> list[Entry]:
        """The versions that should be served, whatever their state."""
        with self.changed:
            return [e for e in self._entries.get(name, {}).values() if e.wanted]

    # Changes ----------------------------------------------------------------------------------

    def set_labels(self, labels: Mapping[str, Mapping[str, int]]) -> None:
        """Replace all labels: model name to label to version."""
        with self.changed:
            self._labels = {name: dict(of_model) for name, of_model in labels.items()}
            for name in self._labels.keys() | self._table.keys():
                self._publish(name)

    def labels(self, name: str) -> Mapping[str, int]:
        """A model's labels."""
        return self._labels.get(name, {})

    def aspire(self, name: str, paths: Mapping[int, tuple[str, Any]]) -> None:
        """Say which versions of a model should be served.

        Args:
            name: the model.
            paths: each version's directory and a stamp that changes when the directory is
                replaced, so that a version that failed to load is then tried again.
        """
        with self.changed:
            if self._closing:
                return
            entries = self._entries.setdefault(name, {})
            for version, entry in entries.items():
                entry.wanted = version in paths
            for version, (path, stamp) in paths.items():
                old = entries.get(version)
                if old is not None and not _replaceable(old, stamp):
                    continue
                entry = entries[version] = Entry(name, version, path, stamp)
                self._spawn(self._load_entry, entry)
            self._settle(name)

    def _settle(self, name: str) -> None:
        """Unload what is no longer wanted, once that leaves the model available."""
        entries = self._entries.get(name, {})
        for version in [v for v, e in entries.items() if e.state is State.END and not e.wanted]:
            self._remember_end(entries.pop(version))
        wanted = [entry for entry in entries.values() if entry.wanted]
        if wanted and not any(entry.state is State.AVAILABLE for entry in wanted):
            return
        for version in sorted(entries):
            entry = entries[version]
            if not entry.wanted and entry.state is State.AVAILABLE:
                entry.state = State.UNLOADING
                self._publish(name)
                self._spawn(self._unload_entry, entry)
        self.changed.notify_all()

    def _remember_end(self, entry: Entry) -> None:
        ended = self._ended.setdefault(entry.name, {})
        ended[entry.version] = entry
        while len(ended) > MOST_ENDED:
            ended.pop(next(iter(ended)))

    def _publish(self, name: str) -> None:
        """Make the table show the available versions."""
        entries = self._entries.get(name, {})
        versions = {v: e for v, e in entries.items() if e.state is State.AVAILABLE}
        latest = versions[max(versions)] if versions else None
        table = dict(self._table)
        if versions or self._labels.get(name):
            table[name] = Model(versions, latest, self._labels.get(name, {}))
        else:
            table.pop(name, None)
        self._table = table
        self.changed.notify_all()

    def _move(self, entry: Entry, state: State, error: ServingError | None = None) -> None:
        with self.changed:
            entry.state, entry.error = state, error
            self._publish(entry.name)
            if state in (State.AVAILABLE, State.END):
                self._settle(entry.name)

    # Threads ----------------------------------------------------------------------------------

    def _spawn(self, work: Callable[[Entry], None], entry: Entry) -> None:
        threading.Thread(target=work, args=(entry,), daemon=True, name=f"model-{entry}").start()

    def _load_entry(self, entry: Entry) -> None:
        for attempt in range(self._retry.retries + 1):
            if attempt and not self._pause(entry):
                break
            with self._slots:
                if not entry.wanted:
                    break
                if entry.state is State.START:
                    self._move(entry, State.LOADING)
                if self._try_load(entry):
                    return
        self._move(entry, State.END, entry.error)

    def _pause(self, entry: Entry) -> bool:
        """Wait before the next try; False when the version is no longer wanted."""
        until = time.monotonic() + self._retry.pause_seconds
        with self.changed:
            while entry.wanted and (left := until - time.monotonic()) > 0:
                self.changed.wait(left)
        return entry.wanted

    def _try_load(self, entry: Entry) -> bool:
        start = time.monotonic()
        try:
            servable = self._load(entry.name, entry.version, entry.path)
        except Exception as error:
            entry.error = from_exception(error)
            log.error("Loading servable: %s failed: %s", entry, entry.error)
            return False
        entry.open(servable)
        took = time.monotonic() - start
        log.info("Successfully loaded servable version %s in %.2f s", entry, took)
        self._move(entry, State.AVAILABLE)
        return True

    def _unload_entry(self, entry: Entry) -> None:
        entry.drain()
        if entry.servable is not None:
            entry.servable.close()
            entry.servable = None
        log.info("Done unloading servable version %s", entry)
        self._move(entry, State.END)

    def close(self, timeout: float = 30.0) -> None:
        """Unload everything, waiting at most `timeout` seconds."""
        until = time.monotonic() + timeout
        with self.changed:
            self._closing = True
            for name, entries in self._entries.items():
                for entry in entries.values():
                    entry.wanted = False
                self._settle(name)
            self.changed.notify_all()
            while any(self._entries.values()) and time.monotonic() < until:
                self.changed.wait(0.1)


def _replaceable(old: Entry, stamp: Any) -> bool:
    """Whether a version that is there may be loaded anew: only one that ended, when changed."""
    if old.state is not State.END:
        return False
    return old.error is None or old.stamp != stamp


def unavailable_message(failed: Mapping[str, list[Entry]]) -> str:
    """What a start or a reload that left models out fails with."""
    parts = []
    for name, entries in failed.items():
        for entry in entries:
            reason = f" due to error: {entry.error}" if entry.error is not None else ""
            parts.append(f"{{{entry}{reason}}}, ")
        if not entries:
            parts.append(f"{{name: {name} has no version to load}}, ")
    return f"{len(failed)} model(s) did not become available: {{{''.join(parts)}}}"


def unavailable(failed: Mapping[str, list[Entry]]) -> ServingError:
    """UNKNOWN, as the original reports models that did not load."""
    return ServingError(Code.UNKNOWN, unavailable_message(failed))
