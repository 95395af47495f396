"""What `zoo export` does: load, export in the wanted format, one row a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import zoo
from zoo.errors import ZooError


def export(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Rows with path, bytes, signatures and max_abs_diff."""
    model = zoo.load(options.model)
    if options.format == "saved_model":
        from export import saved_model

        if options.quantize != "none":
            raise ZooError("--quantize is for --format tflite; a SavedModel keeps float32")
        report = saved_model.export(model, options.out)
    else:
        from export import tflite

        report = tflite.export(model, options.out, quantize=options.quantize)
    yield {
        "path": str(report.path),
        "bytes": report.bytes,
        "signatures": report.signatures,
        "max_abs_diff": report.max_abs_diff,
    }
