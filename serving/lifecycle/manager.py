"""Versions of models: loading, serving, draining, unloading.

A model's new version is loaded (and warmed up) before the one it replaces is drained and
unloaded, and a version that fails to load leaves the old one serving. Requests look models up in
a table that is replaced as a whole, never changed in place.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from serving.errors import (
    Code,
    ServingError,
    from_exception,
    invalid_argument,
    not_found,
    with_names,
)
from serving.lifecycle.version import ModelVersion, Stamp, State
from serving.models.servable import Servable

log = logging.getLogger("serving.lifecycle.manager")
MOST_ENDED = 200


@dataclass(frozen=True)
class Model:
    """What a request may find of a model: its available versions and its labels."""

    versions: Mapping[int, ModelVersion]
    latest: ModelVersion | None
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
        self._entries: dict[str, dict[int, ModelVersion]] = {}
        self._ended: dict[str, dict[int, ModelVersion]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._table: dict[str, Model] = {}
        self._closing = False

    # Requests ---------------------------------------------------------------------------------

    def acquire(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> ModelVersion:
        """An available version, kept loaded until the caller calls its `release`.

        Raises:
            ServingError: NOT_FOUND without such a version, INVALID_ARGUMENT for a label.
        """
        while True:
            found = self.find(name, version, label)
            if found.acquire():
                return found

    def find(self, name: str, version: int | None = None, label: str | None = None) -> ModelVersion:
        """The same without keeping it loaded."""
        model = self._table.get(name)
        if label is not None:
            version = self._labelled(model, label)
        found = None
        if model is not None:
            found = model.latest if version is None else model.versions.get(version)
        if found is None:
            request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise not_found(f"Servable not found for request: {request}")
        return found

    @staticmethod
    def _labelled(model: Model | None, label: str) -> int:
        if model is None or label not in model.labels:
            known = model.labels if model is not None else ()
            message = f"Unrecognized servable version label: {label}"
            raise invalid_argument(with_names(message, known))
        return model.labels[label]

    # Status -----------------------------------------------------------------------------------

    def status(self, name: str) -> list[ModelVersion]:
        """Every version that is or was there, highest first."""
        with self.changed:
            known = self._ended.get(name, {}) | self._entries.get(name, {})
            return [known[version] for version in sorted(known, reverse=True)]

    def available(self, name: str) -> list[int]:
        """The versions that take requests."""
        model = self._table.get(name)
        return sorted(model.versions) if model is not None else []

    def loaded(self) -> list[ModelVersion]:
        """The latest available version of every model."""
        return [model.latest for model in self._table.values() if model.latest is not None]

    def wanted(self, name: str) -> list[ModelVersion]:
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

    def set_labels_of(self, name: str, labels: Mapping[str, int]) -> None:
        """Replace one model's labels."""
        with self.changed:
            self.set_labels({**self._labels, name: labels})

    def labels(self, name: str) -> Mapping[str, int]:
        """A model's labels."""
        return self._labels.get(name, {})

    def aspire(self, name: str, paths: Mapping[int, tuple[str, Stamp]]) -> None:
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
                    old.again = (path, stamp)
                    continue
                self._add(entries, ModelVersion(name, version, path, stamp))
            self._settle(name)
            self.changed.notify_all()

    def _add(self, entries: dict[int, ModelVersion], entry: ModelVersion) -> None:
        entries[entry.version] = entry
        self._spawn(self._load_entry, entry)

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

    def _remember_end(self, entry: ModelVersion) -> None:
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

    def _move(self, entry: ModelVersion, state: State, error: ServingError | None = None) -> None:
        with self.changed:
            entry.state, entry.error = state, error
            self._publish(entry.name)
            if state in (State.AVAILABLE, State.END):
                self._settle(entry.name)

    # Threads ----------------------------------------------------------------------------------

    def _spawn(self, work: Callable[[ModelVersion], None], entry: ModelVersion) -> None:
        threading.Thread(target=work, args=(entry,), daemon=True, name=f"model-{entry}").start()

    def _load_entry(self, entry: ModelVersion) -> None:
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

    def _pause(self, entry: ModelVersion) -> bool:
        """Wait before the next try; False when the version is no longer wanted.

        A folder that changes meanwhile, as one that is still being copied, is tried at once.
        """
        until = time.monotonic() + self._retry.pause_seconds
        with self.changed:
            while entry.wanted and (left := until - time.monotonic()) > 0:
                if entry.again is not None and entry.again != (entry.path, entry.stamp):
                    entry.path, entry.stamp = entry.again
                    break
                self.changed.wait(left)
        return entry.wanted

    def _try_load(self, entry: ModelVersion) -> bool:
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

    def _unload_entry(self, entry: ModelVersion) -> None:
        if entry.servable is not None:
            entry.servable.runner.retire()
        entry.drain()
        if entry.servable is not None:
            entry.servable.close()
            entry.servable = None
        log.info("Done unloading servable version %s", entry)
        with self.changed:
            self._move(entry, State.END)
            if entry.wanted and entry.again is not None and not self._closing:
                again = ModelVersion(entry.name, entry.version, *entry.again)
                self._add(self._entries[entry.name], again)

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

    def abort(self) -> None:
        """Cancel what still runs; nothing can run after."""
        with self.changed:
            versions = [e for entries in self._entries.values() for e in entries.values()]
        for servable in filter(None, (entry.servable for entry in versions)):
            servable.runner.abort()


def _replaceable(old: ModelVersion, stamp: Stamp) -> bool:
    """Whether a version that is there may be loaded anew: only one that ended, when changed."""
    if old.state is not State.END:
        return False
    return old.error is None or old.stamp != stamp


def unavailable_message(failed: Mapping[str, list[ModelVersion]]) -> str:
    """What a start or a reload that left models out fails with."""
    parts = []
    for name, entries in failed.items():
        for entry in entries:
            reason = f" due to error: {entry.error}" if entry.error is not None else ""
            parts.append(f"{{{entry}{reason}}}, ")
        if not entries:
            parts.append(f"{{name: {name} has no version to load}}, ")
    return f"{len(failed)} model(s) did not become available: {{{''.join(parts)}}}"


def unavailable(failed: Mapping[str, list[ModelVersion]]) -> ServingError:
    """UNKNOWN, as the original reports models that did not load."""
    return ServingError(Code.UNKNOWN, unavailable_message(failed))
