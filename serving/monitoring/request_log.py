"""A JSON line for each request: what was asked of which model, and how it went."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TextIO

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import invalid_argument

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

    def __init__(self, path: str = "") -> None:
        self._lock = threading.Lock()
        self._files: dict[str, TextIO] = {}
        self._common = self._open(path) if path else None
        self._models: Mapping[str, tuple[TextIO, float]] = {}
        self._failing: set[TextIO] = set()

    @property
    def active(self) -> bool:
        """Whether any request is written."""
        return self._common is not None or bool(self._models)

    def configure(self, config: ModelServerConfig) -> None:
        """Follow a ModelServerConfig: a model's logging_config names a file and a rate."""
        models = {}
        for model in config.model_config_list.config:
            if model.HasField("logging_config"):
                prefix = model.logging_config.log_collector_config.filename_prefix
                if not prefix:
                    raise invalid_argument(
                        f"logging_config of model {model.name} has no filename_prefix to write to"
                    )
                rate = model.logging_config.sampling_config.sampling_rate
                models[model.name] = (self._open(f"{prefix}.jsonl"), rate)
        self._models = models

    def write(self, record: Record) -> Written:
        """Write a record where it belongs; what cannot be written is lost, which is said once."""
        file, rate = self._models.get(record.model, (None, 0.0))
        sampled = file is not None and random.random() < rate
        targets = [f for f in (self._common, file if sampled else None) if f is not None]
        if not targets:
            return Written(sampled=False, lost=0)
        line = _line(record)
        with self._lock:
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

    def _open(self, path: str) -> TextIO:
        if path == "-":
            return sys.stderr
        if path not in self._files:
            try:
                self._files[path] = open(  # noqa: SIM115
                    path, "a", encoding="utf-8", errors="backslashreplace"
                )
            except OSError as error:
                raise invalid_argument(f"cannot write {path}: {error.strerror}") from None
        return self._files[path]

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for file in self._files.values():
                # What a full disk did not take is lost.
                with contextlib.suppress(OSError):
                    file.close()
            self._common, self._models = None, {}


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
