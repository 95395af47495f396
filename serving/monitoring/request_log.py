"""A JSON line for each request: what was asked of which model, and how it went."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import invalid_argument


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


class RequestLog:
    """Writes records to the server's log and to the logs of models with a logging_config."""

    def __init__(self, path: str = "") -> None:
        self._lock = threading.Lock()
        self._files: dict[str, TextIO] = {}
        self._common = self._open(path) if path else None
        self._models: Mapping[str, tuple[TextIO, float]] = {}

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

    def write(self, record: Record) -> bool:
        """Write a record where it belongs; True if a model's own log took it."""
        file, rate = self._models.get(record.model, (None, 0.0))
        sampled = file is not None and random.random() < rate
        targets = [f for f in (self._common, file if sampled else None) if f is not None]
        if targets:
            line = _line(record)
            with self._lock:
                for target in targets:
                    target.write(line)
                    target.flush()
        return sampled

    def _open(self, path: str) -> TextIO:
        if path == "-":
            return sys.stderr
        if path not in self._files:
            try:
                self._files[path] = open(path, "a", encoding="utf-8")  # noqa: SIM115
            except OSError as error:
                raise invalid_argument(f"cannot write {path}: {error.strerror}") from None
        return self._files[path]

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for file in self._files.values():
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
