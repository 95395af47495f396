"""A `.tflite` file with built-in ops only, checked against the model it was made from.

The file holds every signature with the weights once, and the vocabulary and tokenizer rules as
associated files, so that one file is all an application needs (docs/device.md).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.report import ExportReport
from export.tflite import check, convert, softmax
from export.tflite.ops import refuse_other_ops
from export.tflite.package import packed
from zoo.errors import ZooError

FILE = "model.tflite"
CALIBRATION_WORDS = 1_000
LARGEST_FLOAT_DIFFERENCE = 1e-2  # of a float32 file; more means a wrong graph, not rounding


@dataclass(frozen=True)
class LiteReport(ExportReport):
    """An ExportReport with the comparison behind `max_abs_diff`."""

    check: check.Check


def export_tflite(
    model: Any,
    out: str | os.PathLike[str],
    quantize: str = "none",
    texts: Iterable[Any] | None = None,
    calibration: Iterable[Any] | None = None,
) -> LiteReport:
    """Write a model as one `.tflite` file.

    Args:
        model: any model of the zoo.
        out: a directory, for `out/model.tflite`, or a name that ends with `.tflite`. A file that
            is there is replaced.
        quantize: "none", "float16", "dynamic" (weights in 8 bits) or "int8" (activations too).
        texts: sentences to compare on, the first 2,000 words of them; for a translation model
            sources, or pairs with `source` and `target`. None draws them from the model.
        calibration: sentences on which "int8" measures the activations, which should not be those
            of `texts`; None: the last of `texts`.

    Raises:
        ZooError: the model has no such form, an unknown `quantize`, or the file's answers differ.
    """
    path = target_path(out)
    lite = lite_module(model)
    if quantize not in lite.quantizations:
        offered = ", ".join(lite.quantizations)
        raise ZooError(f"quantize={quantize!r}: a {type(model).__name__} has {offered}")
    sentences = lite.sentences(texts)
    measured = sentences[::-1] if calibration is None else lite.sentences(calibration)
    with softmax.ending(quantize):
        functions = lite.signatures()
    content = convert.convert(lite.resources, functions, quantize, examples(lite, measured))
    refuse_other_ops(content)
    description = {**lite.description(), "signatures": sorted(functions), "quantize": quantize}
    whole = packed(content, description, lite.tokenizers())
    check = lite.compare(loaded(whole), sentences)
    refuse_wrong(check.max_abs_diff, quantize)
    write(path, whole)
    return LiteReport(path, len(whole), sorted(functions), check.max_abs_diff, check)


def target_path(out: str | os.PathLike[str]) -> Path:
    """Where the file goes."""
    path = Path(out)
    if path.suffix == ".tflite":
        return path
    if path.is_file():
        raise ZooError(f"{path} is a file; give a directory, or a name ending with .tflite")
    return path / FILE


def examples(lite: Any, sentences: Any) -> convert.Examples:
    """What the converter measures activations on."""

    def generate() -> Iterator[tuple[str, dict[str, Any]]]:
        yield from lite.examples(check.enough(sentences, CALIBRATION_WORDS))

    return generate


def loaded(content: bytes) -> Any:
    """An interpreter of a file's bytes, on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content, num_threads=1)


def refuse_wrong(difference: float, quantize: str) -> None:
    """A float file has to be the model; a quantised one has to be finite."""
    limit = LARGEST_FLOAT_DIFFERENCE if quantize == "none" else np.inf
    if not np.isfinite(difference) or difference > limit:
        raise ZooError(f"the exported file differs from the model by {difference}; not written")


def write(path: Path, content: bytes) -> None:
    """Write beside the final place, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".writing.{os.getpid()}.{path.name}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


# Which file makes the signatures of which class.
KINDS = {
    "RecurrentLanguageModel": ("export.tflite.signatures", "neural_module"),
    "NeuralProbabilisticLanguageModel": ("export.tflite.signatures", "neural_module"),
    "NGramLanguageModel": ("export.tflite.ngram", "counts_module"),
    "InterpolatedLanguageModel": ("export.tflite.ngram", "counts_module"),
    "BidirectionalLanguageModel": ("export.tflite.cloze", "cloze_module"),
    "Seq2Seq": ("export.tflite.translation", "translation_module"),
}


def lite_module(model: Any) -> Any:
    """The module with the signatures of a model's kind."""
    for ancestor in type(model).__mro__:
        if ancestor.__name__ in KINDS:
            file, maker = KINDS[ancestor.__name__]
            return getattr(importlib.import_module(file), maker)(model)
    raise ZooError(f"a {type(model).__name__} has no TFLite form")
