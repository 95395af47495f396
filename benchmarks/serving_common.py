"""A SavedModel and its answers as the baselines of `benchmarks/serving.py` use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf


def newest(base_path: str) -> str:
    """The highest version's directory."""
    versions = [path for path in Path(base_path).iterdir() if path.name.isdigit()]
    return str(max(versions, key=lambda path: int(path.name)))


def load(base_path: str) -> Any:
    """The default signature of a SavedModel."""
    module = tf.saved_model.load(newest(base_path))
    signature = module.signatures["serving_default"]
    signature.module = module
    return signature


def answer(signature: Any, instances: list[str]) -> list[dict[str, Any]]:
    """A prediction a row, ready for JSON."""
    outputs = {
        name: value.numpy().tolist()
        for name, value in signature(text=tf.constant(instances)).items()
    }
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
    return [{name: _text(value) for name, value in row.items()} for row in rows]


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value
