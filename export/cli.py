"""What `zoo export` does: load, export in the wanted format, one row a file."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import zoo
from zoo.errors import ZooError

if TYPE_CHECKING:
    from export.report import ExportReport
    from export.tflite.module import Text
    from zoo.models.base import Kind, PresetModel

SAMPLED = 1_000  # sentences of a corpus: enough for the words that are compared and measured


class Corpus(Protocol):
    """Sentences, or pairs with `source` and `target`, by split."""

    train: Sequence[Text]
    test: Sequence[Text]


def export(
    options: argparse.Namespace, read_corpus: Callable[[Kind], Corpus] | None = None
) -> Iterator[dict[str, Any]]:
    """Rows with path, bytes, signatures and max_abs_diff.

    Args:
        options: model, format, out and quantize.
        read_corpus: gives the corpus, of the kind that the model reads. What a `.tflite` file is
            compared on is sampled from its `test`, and what "int8" measures activations on from
            its `train`.
    """
    model = zoo.load(options.model)
    corpus = None if read_corpus is None else read_corpus(model.reads)
    if options.format == "saved_model":
        report = saved_model(model, options)
    else:
        report = tflite(model, options, corpus)
    yield {
        "path": str(report.path),
        "bytes": report.bytes,
        "signatures": report.signatures,
        "max_abs_diff": report.max_abs_diff,
    }


def saved_model(model: PresetModel, options: argparse.Namespace) -> ExportReport:
    """Write a SavedModel; TensorFlow is imported when it is wanted."""
    from export.saved_model.exporter import export_saved_model

    if options.quantize != "none":
        raise ZooError("--quantize is for --format tflite; a SavedModel keeps float32")
    return export_saved_model(model, options.out)


def tflite(model: PresetModel, options: argparse.Namespace, corpus: Corpus | None) -> ExportReport:
    """Write a `.tflite` file, and say on stderr how far it is from the model."""
    from export.tflite.exporter import export_tflite

    report = export_tflite(
        model,
        options.out,
        quantize=options.quantize,
        texts=sampled_texts(corpus, "test", model),
        calibration=sampled_texts(corpus, "train", model),
    )
    print(f"file against model: {report.check}", file=sys.stderr)
    return report


def sampled_texts(corpus: Corpus | None, split: str, model: PresetModel) -> list[Text] | None:
    """Texts of one split, sampled, the same each time; None without a corpus."""
    if corpus is None:
        return None
    texts = list(getattr(corpus, split))
    if not texts:
        raise ZooError(f"split {split!r} of the data is empty; give texts to compare on")
    texts = [getattr(text, "plain", text) for text in texts]  # without labels
    if isinstance(texts[0], str) == isinstance(model, zoo.models.Seq2Seq):
        kind = "sentences" if isinstance(texts[0], str) else "sentence pairs"
        raise ZooError(f"the data are {kind}, which a {type(model).__name__} cannot be tested on")
    return random.Random(f"{split} 1").sample(texts, min(SAMPLED, len(texts)))
