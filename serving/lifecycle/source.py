"""Watching the file system: which versions of which models are there and should be served."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from tensorflow_serving.config.file_system_storage_path_source_pb2 import (
    FileSystemStoragePathSourceConfig,
)
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.config.files import URI
from serving.lifecycle import remote
from serving.lifecycle.manager import Manager
from serving.lifecycle.version import Stamp

log = logging.getLogger("serving.lifecycle.source")
LARGEST_VERSION = (1 << 63) - 1
Versions = dict[int, tuple[str, Stamp]]


@dataclass(frozen=True)
class Watched:
    """A model to look after: where its versions are and which of them to serve."""

    name: str
    base_path: str
    policy: FileSystemStoragePathSourceConfig.ServableVersionPolicy


def watched_models(config: ModelServerConfig) -> dict[str, Watched]:
    """The models of a ModelServerConfig."""
    return {model.name: watched(model) for model in config.model_config_list.config}


def watched(model: ModelConfig) -> Watched:
    """What a ModelConfig says about a model's versions."""
    return Watched(model.name, model.base_path, model.model_version_policy)


class Source:
    """Polls base paths and tells the manager which versions should be served."""

    def __init__(self, manager: Manager, poll_seconds: int, polls_before_unload: int) -> None:
        self._manager = manager
        self._poll_seconds = poll_seconds
        self._polls_before_unload = polls_before_unload
        self._empty_polls: dict[str, int] = {}
        self._models: dict[str, Watched] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._complaints: dict[str, str] = {}

    def start(self) -> None:
        """Poll in the background from now on, if there is an interval."""
        if self._poll_seconds > 0:
            threading.Thread(target=self._loop, daemon=True, name="model-source").start()

    def stop(self) -> None:
        """Poll no more."""
        self._stop.set()

    def _loop(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                self.poll()
            except Exception:
                log.exception("FileSystemStoragePathSource poll failed")

    def update(self, models: Mapping[str, Watched]) -> None:
        """Watch these models instead, and look at once."""
        with self._lock:
            gone = self._models.keys() - models.keys()
            self._models = dict(models)
            for name in gone:
                self._manager.aspire(name, {})
        if self._poll_seconds >= 0:
            self.poll()

    def poll(self) -> None:
        """Look at every base path once."""
        with self._lock:
            for model in self._models.values():
                versions = self._wanted_versions(model)
                if versions is not None and not self._may_come_back(model.name, versions):
                    self._manager.aspire(model.name, versions)

    def _may_come_back(self, name: str, versions: Versions) -> bool:
        """Whether a model's last versions stay though they are gone, as in a remount."""
        if versions or not self._manager.wanted(name):
            self._empty_polls.pop(name, None)
            return False
        self._empty_polls[name] = self._empty_polls.get(name, 0) + 1
        return self._empty_polls[name] < self._polls_before_unload

    def watched(self, name: str) -> Watched | None:
        """What is looked after under a name."""
        return self._models.get(name)

    def complaint(self, name: str) -> str | None:
        """Why a model has nothing to load, from the latest poll."""
        return self._complaints.get(name)

    def _wanted_versions(self, model: Watched) -> Versions | None:
        """The versions to serve, or None when the base path cannot be read."""
        try:
            found = list_versions(model.base_path)
        except (OSError, ValueError) as error:  # ValueError: what can be no path
            self._complain(
                model.name,
                "FileSystemStoragePathSource encountered a filesystem access error: Could not "
                f"find base path {model.base_path} for servable {model.name} with error {error}",
            )
            return None
        if not found:
            self._complain(
                model.name,
                f"No versions of servable {model.name} found under base path {model.base_path}. "
                "Did you forget to name your leaf directory as a number (eg. '/1/')?",
            )
            return {}
        self._complaints.pop(model.name, None)
        return self._chosen(model, found)

    def _complain(self, name: str, message: str) -> None:
        """Log a standing complaint once, not at every poll."""
        if self._complaints.get(name) != message:
            log.warning(message)
            self._complaints[name] = message

    def _chosen(self, model: Watched, found: Versions) -> Versions:
        kind = model.policy.WhichOneof("policy_choice")
        if kind == "all":
            return found
        if kind == "specific":
            return self._specific(model, found)
        count = max(1, model.policy.latest.num_versions)
        return {version: found[version] for version in sorted(found)[-count:]}

    def _specific(self, model: Watched, found: Versions) -> Versions:
        wanted = list(model.policy.specific.versions)
        for version in wanted:
            if version not in found:
                self._complain(
                    model.name,
                    f"Version {version} of servable {model.name}, which was requested to be "
                    "served as a 'specific' version in the servable's version policy, was not "
                    "found in the file system",
                )
        return {version: found[version] for version in wanted if version in found}


def list_versions(base_path: str) -> Versions:
    """Every numbered child of a base path, with a stamp of the directory.

    Raises:
        OSError: the path cannot be listed.
    """
    if URI.match(base_path):
        return _list_remote(base_path)
    versions: Versions = {}
    with os.scandir(base_path) as children:
        for child in children:
            number = parse_version(child.name)
            if number is not None and child.is_dir():
                stat = child.stat()
                versions[number] = (child.path, (stat.st_ino, stat.st_mtime_ns))
    return versions


def _list_remote(base_path: str) -> Versions:
    numbered = {parse_version(name): path for name, path in remote.children(base_path).items()}
    return {number: (path, None) for number, path in numbered.items() if number is not None}


def parse_version(name: str) -> int | None:
    """A directory's version number, or None.

    Example:
        >>> parse_version("00000123"), parse_version("tmp")
        (123, None)
    """
    if not (name.isascii() and name.isdigit()):
        return None
    number = int(name)
    return number if number <= LARGEST_VERSION else None
