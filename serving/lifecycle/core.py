"""The models of a running server: configuration, its reloads, and waiting for models."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Container, Iterable

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.config.files import (
    URI,
    check_models,
    model_server_config,
    refuse_unknown_fields,
)
from serving.errors import ServingError, deadline_exceeded, failed_precondition
from serving.lifecycle.manager import Manager, unavailable
from serving.lifecycle.source import Source, watched, watched_models
from serving.lifecycle.version import ModelVersion, State
from serving.options import Flags

log = logging.getLogger("serving.lifecycle.core")
REMINDER_SECONDS = 30.0


class ServerCore:
    """Keeps the manager and the file-system source at one configuration."""

    def __init__(
        self,
        manager: Manager,
        source: Source,
        flags: Flags,
        prepare: Callable[[ModelServerConfig], Callable[[], None]] = lambda config: lambda: None,
    ) -> None:
        self.manager = manager
        self.source = source
        self._flags = flags
        self._prepare = prepare
        self._config: ModelServerConfig | None = None
        self._reloading = threading.Lock()
        # The config file that was applied last, and what was wrong with it.
        self._rereading = threading.Lock()
        self._applied: ModelServerConfig | None = None
        self._complaint = ""
        self._stop = threading.Event()

    @property
    def config(self) -> ModelServerConfig | None:
        """The ModelServerConfig being served."""
        return self._config

    def model_names(self) -> list[str]:
        """The configured models."""
        if self._config is None:
            return []
        return [model.name for model in self._config.model_config_list.config]

    # Start ------------------------------------------------------------------------------------

    def start(
        self,
        config: ModelServerConfig,
        partial: bool,
        on_held_up: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve the first configuration; returns when its models are available.

        Args:
            config: a ModelServerConfig.
            partial: return when nothing is loading any more.
            on_held_up: called once if a model has nothing to load, before waiting for it.

        Raises:
            ServingError: the configuration is wrong, or a model did not load and `partial` is
                off.
        """
        new = self._apply(config)
        self.source.start()
        self._check_labels([name for name in new if not self._may_appear(name)], partial)
        if not partial and self.complaints():
            on_held_up()
        self._wait_for_start(partial)
        self._wait_until_settled(new, labelled=True)
        if not self._stop.is_set():
            self._check_labels(new, partial)
        self._applied = self._config
        if self._flags.model_config_file and self._flags.model_config_file_poll_wait_seconds > 0:
            threading.Thread(target=self._poll_config, daemon=True, name="config-poll").start()

    def stop(self) -> None:
        """Stop polling; models stay."""
        self._stop.set()
        self.source.stop()

    def _wait_for_start(self, partial: bool) -> None:
        names, reminder = self.model_names(), time.monotonic() + REMINDER_SECONDS
        with self.manager.changed:
            while not self._stop.is_set():
                waiting, failed = self._progress(names)
                if failed and not partial:
                    raise unavailable(failed)
                if not waiting or (partial and not self._loading(waiting)):
                    return
                if time.monotonic() > reminder:
                    log.warning("still waiting for models: %s", self._waiting_for(waiting))
                    reminder += REMINDER_SECONDS
                self.manager.changed.wait(0.5)

    def _progress(self, names: Iterable[str]) -> tuple[set[str], dict[str, list[ModelVersion]]]:
        """Models that are not available yet, and those of them whose every version failed."""
        waiting = {name for name in names if not self.manager.available(name)}
        failed = {}
        for name in waiting:
            wanted = self.manager.wanted(name)
            if wanted and all(entry.state is State.END for entry in wanted):
                failed[name] = wanted
        return waiting - failed.keys(), failed

    def _waiting_for(self, names: Iterable[str]) -> str:
        reasons = self.complaints()
        return ", ".join(n + (f" ({reasons[n]})" if n in reasons else "") for n in sorted(names))

    def complaints(self) -> dict[str, str]:
        """Why each model that is not available is not, as far as it is known."""
        found: dict[str, str] = {}
        for name in self.model_names():
            if not self.manager.available(name):
                errors = [str(e.error) for e in self.manager.wanted(name) if e.error is not None]
                reason = self.source.complaint(name) or "; ".join(errors)
                found |= {name: reason} if reason else {}
        return found

    def _loading(self, names: Iterable[str]) -> bool:
        states = {entry.state for name in names for entry in self.manager.wanted(name)}
        return bool(states & {State.START, State.LOADING})

    # Reload -----------------------------------------------------------------------------------

    def reload(self, config: ModelServerConfig, deadline: float | None = None) -> None:
        """Move to a new configuration; returns when every model serves what it says.

        Args:
            config: a ModelServerConfig.
            deadline: time.monotonic() after which to give up waiting; the configuration stays.

        Raises:
            ServingError: what is wrong with the configuration, or which models did not load.
        """
        if config.WhichOneof("config") is None:
            log.info("Taking no action for empty config.")
            return
        left = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._reloading.acquire(timeout=left):
            raise deadline_exceeded("another configuration is still being loaded")
        try:
            old = self._config
            new = self._apply(config)
            changed = self._to_wait_for(old)
            self._wait_until_settled(changed, deadline)
            failed = {name: self._lacking(name) for name in changed if not self._reached(name)}
            if failed:
                raise self._did_not_load(failed)
            self._check_labels(new)
        finally:
            self._reloading.release()

    def _to_wait_for(self, old: ModelServerConfig | None) -> list[str]:
        """Models that the present configuration says other things of, or that are not there."""
        before = {m.name: m for m in old.model_config_list.config} if old is not None else {}
        now = self._config.model_config_list.config if self._config is not None else []
        return [
            model.name
            for model in now
            if not self.manager.available(model.name)
            or model.name not in before
            or watched(model) != watched(before[model.name])
        ]

    def _reached(self, name: str) -> bool:
        """Whether a model serves what is configured."""
        states = [entry.state for entry in self.manager.wanted(name)]
        return State.AVAILABLE in states and self.source.complaint(name) is None

    def _lacking(self, name: str) -> list[ModelVersion]:
        return [e for e in self.manager.wanted(name) if e.state is not State.AVAILABLE]

    def _apply(self, config: ModelServerConfig) -> list[str]:
        """Make a configuration the present one; returns the models that are new in it."""
        if config.WhichOneof("config") == "custom_model_config":
            raise failed_precondition(
                "Cannot transition to requested config. It is only legal to transition from one "
                "ModelConfigList to another."
            )
        old = self._config.model_config_list if self._config is not None else None
        refuse_unknown_fields(config)
        check_models(config.model_config_list, old)
        known = set(self.model_names())
        labels = self._allowed_labels(config, known)
        follow = self._prepare(config)
        # Nothing is refused from here on.
        follow()
        self._config = config
        self.manager.set_labels(labels)
        log.info("Adding/updating models.")
        for model in config.model_config_list.config:
            log.info(" (Re-)adding model: %s", model.name)
        self.source.update(watched_models(config))
        return [name for name in self.model_names() if name not in known]

    def _allowed_labels(
        self, config: ModelServerConfig, known: Container[str]
    ) -> dict[str, dict[str, int]]:
        """Labels of known models may only move to versions that are available.

        Those of new models are looked at once these are loaded; a flag allows new labels of
        versions that are not there yet.
        """
        labels: dict[str, dict[str, int]] = {}
        for model in config.model_config_list.config:
            available = self.manager.available(model.name)
            old = self.manager.labels(model.name)
            for label, version in model.version_labels.items():
                may_be_absent = model.name not in known or (
                    self._flags.allow_version_labels_for_unavailable_models
                    and old.get(label, version) == version
                )
                if version not in available and not may_be_absent:
                    raise label_refused(model.name, version)
                labels.setdefault(model.name, {})[label] = version
        return labels

    def _may_appear(self, name: str) -> bool:
        """Whether a model's versions are in a store that may answer later."""
        watched = self.source.watched(name)
        remote = watched is not None and URI.match(watched.base_path) is not None
        return remote and not self.manager.wanted(name)

    def _check_labels(self, names: Iterable[str], partial: bool = False) -> None:
        """Refuse labels of new models whose version is neither available nor being loaded."""
        if self._flags.allow_version_labels_for_unavailable_models:
            return
        for name in names:
            there = {e.version for e in self.manager.wanted(name) if e.state is not State.END}
            labels = self.manager.labels(name)
            absent = [version for version in labels.values() if version not in there]
            if absent and partial:
                log.warning(label_refused(name, absent[0], self.source.complaint(name)).message)
            elif absent:
                self.manager.set_labels_of(name, {})
                raise label_refused(name, absent[0], self.source.complaint(name))

    def _wait_until_settled(
        self, names: Iterable[str], deadline: float | None = None, labelled: bool = False
    ) -> None:
        """Wait until no version of these models is loading any more; or none that has a label."""
        with self.manager.changed:
            while not self._stop.is_set():
                loading = [
                    entry.name
                    for name in names
                    for entry in self.manager.wanted(name)
                    if entry.state in (State.START, State.LOADING, State.UNLOADING)
                    and (not labelled or entry.version in self.manager.labels(name).values())
                ]
                if not loading:
                    return
                left = 0.5 if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise deadline_exceeded(
                        f"still loading when the deadline passed: {', '.join(sorted(set(loading)))}"
                    )
                self.manager.changed.wait(min(left, 0.5))

    def _did_not_load(self, failed: dict[str, list[ModelVersion]]) -> ServingError:
        error = unavailable(failed)
        notes = [self.source.complaint(name) for name in failed]
        return ServingError(error.code, " ".join([error.message, *filter(None, notes)]))

    def _poll_config(self) -> None:
        """Apply the config file again whenever it changed; a bad one is logged and left."""
        while not self._stop.wait(self._flags.model_config_file_poll_wait_seconds):
            self.reread()

    def reread(self) -> None:
        """Apply the config file if it is not the one that was applied last."""
        with self._rereading:
            try:
                config = model_server_config(self._flags)
                if config != self._applied:
                    self._applied = config
                    self.reload(config)
                    self._complaint = ""
            except ServingError as error:
                self._applied = None
                if str(error) != self._complaint:
                    log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", error)
                self._complaint = str(error)


def label_refused(name: str, version: int, reason: str | None = None) -> ServingError:
    """FAILED_PRECONDITION for a label of a version that is not there."""
    return failed_precondition(
        f"Request to assign label to {{name: {name} version: {version}}}, which is not currently "
        "available for inference; load the version first, or allow new labels of absent versions "
        "by --allow_version_labels_for_unavailable_models"
        + (f". {reason}" if reason is not None else "")
    )
