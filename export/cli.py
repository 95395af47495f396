"""What `zoo export` does: load, export in the wanted format, one row a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
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

        texts = lines_of(getattr(options, "text", None))
        report = tflite.export(model, options.out, quantize=options.quantize, texts=texts)
        print(f"file against model: {report.check}", file=sys.stderr)
    yield {
        "path": str(report.path),
        "bytes": report.bytes,
        "signatures": report.signatures,
        "max_abs_diff": report.max_abs_diff,
    }


def lines_of(path: str | None) -> list[str] | None:
    """The lines of a text file to compare a file on; None without one."""
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ZooError(f"cannot read {path}: {error}") from None
