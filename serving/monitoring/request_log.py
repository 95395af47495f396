"""A JSON line for each request: what was asked of which model, and how it went."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TextIO

from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.errors import ServingError, invalid_argument

log = logging.getLogger("serving.monitoring.request_log")


@dataclass(frozen=True)
class Record:
    """One answered request."""

    entrypoint: str
    method: str
    model: str
    version: int | None
    signature: str
    code: str
    message: str
    seconds: float


class Written(NamedTuple):
    """Whether a model's own log got a record, and how many lines could not be written."""

    sampled: bool
    lost: int


class RequestLog:
    """Writes records to the server's log and to the logs of models with a logging_config."""

    def __init__(self, path: str = "", folder: str = "") -> None:
        """`folder`: where logs of models may be; without one there are none."""
        self._lock = threading.Lock()
        self._path, self._folder = path, folder
        self._common = sys.stderr if path == "-" else opened(path) if path else None
        self._files: dict[str, TextIO] = {}
        self._rates: Mapping[str, tuple[str, float]] = {}
        self._failing: set[TextIO] = set()

    @property
    def active(self) -> bool:
        """Whether any request is written."""
        return self._common is not None or bool(self._rates)

    def prepared(self, config: ModelServerConfig) -> Callable[[], None]:
        """Open what a ModelServerConfig names; what this returns follows it, and cannot fail.

        Raises:
            ServingError: a log cannot be opened, or may not be where it is to be.
        """
        rates = {
            model.name: (self._allowed(model), model.logging_config.sampling_config.sampling_rate)
            for model in config.model_config_list.config
            if model.HasField("logging_config")
        }
        paths = {path for path, _ in rates.values()}
        new: dict[str, TextIO] = {}
        try:
            for path in paths - self._files.keys():
                new[path] = opened(path, only_plain=True)
        except ServingError:
            _close(new.values())
            raise

        def follow() -> None:
            with self._lock:
                unused = [self._files.pop(path) for path in self._files.keys() - paths]
                self._files.update(new)
                self._rates = rates
                _close(unused)

        return follow

    def _allowed(self, model: ModelConfig) -> str:
        """The path of a model's log, below the folder that the flag names."""
        prefix = model.logging_config.log_collector_config.filename_prefix
        if not prefix or "\0" in prefix:
            raise invalid_argument(
                f"logging_config of model {model.name} has no filename_prefix to write to"
            )
        if not self._folder:
            raise invalid_argument(
                f"logging_config of model {model.name}: logs of models are written only below "
                "the folder that --request_log_folder names, and it is not given"
            )
        folder = os.path.realpath(self._folder)
        head, tail = os.path.split(os.path.join(folder, f"{prefix}.jsonl"))
        path = os.path.join(os.path.realpath(head), tail)
        if os.path.commonpath([folder, path]) != folder:
            raise invalid_argument(
                f"logging_config of model {model.name}: {path} is not below "
                f"--request_log_folder={self._folder}"
            )
        return path

    def reopen(self) -> None:
        """Open the files anew, as after their rotation; one that cannot be opened stays."""
        with self._lock:
            if self._common is not None and self._path != "-":
                self._common = _reopened(self._path, self._common, only_plain=False)
            for path, file in self._files.items():
                self._files[path] = _reopened(path, file, only_plain=True)

    def write(self, record: Record) -> Written:
        """Write a record where it belongs; what cannot be written is lost, which is said once."""
        path, rate = self._rates.get(record.model, ("", 0.0))
        sampled = bool(path) and random.random() < rate
        if not sampled and self._common is None:
            return Written(sampled=False, lost=0)
        line = _line(record)
        with self._lock:
            files = (self._common, self._files.get(path) if sampled else None)
            targets = [file for file in files if file is not None]
            lost = sum(not self._appended(target, line) for target in targets)
        return Written(sampled, lost)

    def _appended(self, target: TextIO, line: str) -> bool:
        try:
            target.write(line)
            target.flush()
        except (OSError, ValueError) as error:  # ValueError: closed
            if target not in self._failing:
                log.warning("cannot write %s: %s; its lines are lost", target.name, error)
            self._failing.add(target)
            return False
        self._failing.discard(target)
        return True

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            _close(file for file in (self._common, *self._files.values()) if file is not sys.stderr)
            self._common, self._rates = None, {}
            self._files.clear()


def opened(path: str, only_plain: bool = False) -> TextIO:
    """A file to append to; opening and writing it never waits, whatever it is.

    Args:
        path: its path.
        only_plain: refuse links and everything that is not a plain file.
    """
    extra = os.O_NONBLOCK | (os.O_NOFOLLOW if only_plain else 0)
    try:
        file = open(  # noqa: SIM115
            path, "a", encoding="utf-8", errors="backslashreplace",
            opener=lambda name, flags: os.open(name, flags | extra, 0o666),
        )  # fmt: skip
    except OSError as error:
        raise invalid_argument(f"cannot write {path}: {error.strerror}") from None
    if only_plain and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise invalid_argument(f"cannot write {path}: it is no plain file")
    return file


def _reopened(path: str, file: TextIO, only_plain: bool) -> TextIO:
    try:
        new = opened(path, only_plain)
    except ServingError as error:
        log.warning("%s; the log goes on in the old file", error.message)
        return file
    _close([file])
    return new


def _close(files: Iterable[TextIO | None]) -> None:
    for file in files:
        # What a full disk did not take is lost.
        with contextlib.suppress(OSError):
            if file is not None:
                file.close()


def _line(record: Record) -> str:
    content = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "entrypoint": record.entrypoint,
        "method": record.method,
        "model": record.model,
        "version": record.version,
        "signature": record.signature,
        "code": record.code,
        "latency_ms": round(record.seconds * 1000, 3),
    }
    if record.message:
        content["message"] = record.message
    return json.dumps(content, ensure_ascii=False) + "\n"
