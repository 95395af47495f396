"""What `zoo export` does: load, export in the wanted format, one row a file."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from typing import Any

import zoo
from zoo.errors import ZooError

SAMPLED = 1_000  # sentences of a corpus: enough for the words that are compared and measured


def export(options: argparse.Namespace, corpus: Any = None) -> Iterator[dict[str, Any]]:
    """Rows with path, bytes, signatures and max_abs_diff.

    Args:
        options: model, format, out and quantize.
        corpus: lists `train` and `test` of texts; what a `.tflite` file is compared on is sampled
            from `test`, and what "int8" measures activations on from `train`.
    """
    model = zoo.load(options.model)
    if options.format == "saved_model":
        from export.saved_model.exporter import export_saved_model

        if options.quantize != "none":
            raise ZooError("--quantize is for --format tflite; a SavedModel keeps float32")
        report = export_saved_model(model, options.out)
    else:
        from export.tflite.exporter import export_tflite

        report = export_tflite(
            model,
            options.out,
            quantize=options.quantize,
            texts=sampled_texts(corpus, "test", model),
            calibration=sampled_texts(corpus, "train", model),
        )
        print(f"file against model: {report.check}", file=sys.stderr)
    yield {
        "path": str(report.path),
        "bytes": report.bytes,
        "signatures": report.signatures,
        "max_abs_diff": report.max_abs_diff,
    }


def sampled_texts(corpus: Any, split: str, model: Any) -> list[Any] | None:
    """Texts of one split, sampled, the same each time; None without a corpus."""
    if corpus is None:
        return None
    texts = list(getattr(corpus, split))
    if not texts:
        raise ZooError(f"split {split!r} of the data is empty; give texts to compare on")
    if isinstance(texts[0], str) == hasattr(model, "translate"):
        kind = "sentences" if isinstance(texts[0], str) else "sentence pairs"
        raise ZooError(f"the data are {kind}, which a {type(model).__name__} cannot be tested on")
    return random.Random(f"{split} 1").sample(texts, min(SAMPLED, len(texts)))
