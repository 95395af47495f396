"""The models of a running server: configuration, its reloads, and waiting for models."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.config.files import check_models, model_server_config
from serving.errors import ServingError, deadline_exceeded, failed_precondition
from serving.lifecycle.manager import Manager, unavailable
from serving.lifecycle.source import Source, watched_models
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
        on_config: Callable[[ModelServerConfig], None] = lambda config: None,
    ) -> None:
        self.manager = manager
        self.source = source
        self._flags = flags
        self._on_config = on_config
        self._config: ModelServerConfig | None = None
        self._reloading = threading.Lock()
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
        self._apply(config)
        self.source.start()
        if not partial and self.complaints():
            on_held_up()
        self._wait_for_start(partial)
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
        """Move to a new configuration; returns when models that were not there are available.

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
            old = set(self.model_names())
            self._apply(config)
            self._wait_for_new([n for n in self.model_names() if n not in old], deadline)
        finally:
            self._reloading.release()

    def _apply(self, config: ModelServerConfig) -> None:
        if config.WhichOneof("config") == "custom_model_config":
            raise failed_precondition(
                "Cannot transition to requested config. It is only legal to transition from one "
                "ModelConfigList to another."
            )
        old = self._config.model_config_list if self._config is not None else None
        check_models(config.model_config_list, old)
        labels = self._checked_labels(config)
        self._on_config(config)
        self._config = config
        self.manager.set_labels(labels)
        log.info("Adding/updating models.")
        for model in config.model_config_list.config:
            log.info(" (Re-)adding model: %s", model.name)
        self.source.update(watched_models(config))

    def _checked_labels(self, config: ModelServerConfig) -> dict[str, dict[str, int]]:
        """Labels may only move to versions that are available; new ones too, unless allowed."""
        labels: dict[str, dict[str, int]] = {}
        for model in config.model_config_list.config:
            available = self.manager.available(model.name)
            old = self.manager.labels(model.name)
            for label, version in model.version_labels.items():
                may_be_absent = (
                    self._flags.allow_version_labels_for_unavailable_models
                    and old.get(label, version) == version
                )
                if version not in available and not may_be_absent:
                    raise failed_precondition(
                        f"Request to assign label to {{name: {model.name} version: {version}}}, "
                        "which is not currently available for inference"
                    )
                labels.setdefault(model.name, {})[label] = version
        return labels

    def _wait_for_new(self, names: list[str], deadline: float | None) -> None:
        with self.manager.changed:
            while True:
                waiting, failed = self._progress(names)
                idle: dict[str, list[ModelVersion]] = {
                    name: [] for name in waiting if not self.manager.wanted(name)
                }
                if not waiting - idle.keys():
                    if failed or idle:
                        raise self._did_not_load({**failed, **idle})
                    return
                left = 1.0 if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise deadline_exceeded(
                        f"still loading when the deadline passed: {', '.join(sorted(waiting))}"
                    )
                self.manager.changed.wait(min(left, 1.0))

    def _did_not_load(self, failed: dict[str, list[ModelVersion]]) -> ServingError:
        error = unavailable(failed)
        notes = [self.source.complaint(name) for name, entries in failed.items() if not entries]
        return ServingError(error.code, " ".join([error.message, *filter(None, notes)]))

    def _poll_config(self) -> None:
        """Apply the config file again whenever it changed; a bad one is logged and left."""
        seconds = self._flags.model_config_file_poll_wait_seconds
        previous = self._config
        while not self._stop.wait(seconds):
            try:
                config = model_server_config(self._flags)
                if config != previous:
                    previous = config
                    self.reload(config)
            except ServingError as error:
                previous = None
                log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", error)
