"""A `.tflite` file with built-in ops only, checked against the model it was made from.

The file holds every signature with the weights once, and the vocabulary and tokenizer rules as
associated files, so that one file is all an application needs (docs/device.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from export.report import ExportReport
from export.saved_model.graph import Signatures
from export.tflite.check import Check, enough
from export.tflite.cloze import LiteCloze
from export.tflite.convert import Examples, convert
from export.tflite.labels import LiteClassifier, LiteRestorer, LiteTagger
from export.tflite.module import LiteModule, Text
from export.tflite.ngram import counts_module
from export.tflite.ops import refuse_other_ops
from export.tflite.package import packed
from export.tflite.signatures import neural_module
from export.tflite.softmax import device_softmax
from export.tflite.translation import LiteTranslation
from zoo import models
from zoo.errors import ZooError
from zoo.io import write_atomically
from zoo.models.base import PresetModel

FILE = "model.tflite"
CALIBRATION_WORDS = 1_000
LARGEST_FLOAT_DIFFERENCE = 1e-2  # of a float32 file; more means a wrong graph, not rounding


@dataclass(frozen=True)
class LiteReport(ExportReport):
    """An ExportReport with the comparison behind `max_abs_diff`."""

    check: Check


def export_tflite(
    model: PresetModel,
    out: str | os.PathLike[str],
    quantize: str = "none",
    texts: Iterable[Text] | None = None,
    calibration: Iterable[Text] | None = None,
) -> LiteReport:
    """Write a model as one `.tflite` file.

    Args:
        model: any model of the zoo.
        out: a directory, for `out/model.tflite`, or a name that ends with `.tflite`. A file that
            is there is replaced.
        quantize: "none", "float16", "dynamic" (weights in 8 bits) or "int8" (activations too).
        texts: sentences to compare on, the first 2,000 words of them; for a translation model
            sources, or pairs with `source` and `target`. None samples them from the model.
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
    functions = traced(lite, quantize)
    content = convert(lite.resources, functions, quantize, examples(lite, measured))
    refuse_other_ops(content)
    description = {**lite.description(), "signatures": sorted(functions), "quantize": quantize}
    whole = packed(content, description, lite.tokenizers())
    check = lite.compare(new_interpreter(whole), sentences)
    refuse_wrong(check.max_abs_diff, quantize)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, whole)
    return LiteReport(path, len(whole), sorted(functions), check.max_abs_diff, check)


def target_path(out: str | os.PathLike[str]) -> Path:
    """Where the file goes."""
    path = Path(out)
    if path.suffix == ".tflite":
        return path
    if path.is_file():
        raise ZooError(f"{path} is a file; give a directory, or a name ending with .tflite")
    return path / FILE


def traced(lite: LiteModule[Any], quantize: str) -> Signatures:
    """The signatures, with the softmax that is best for a quantisation."""
    with device_softmax(lite.python_model, quantize):
        return lite.signatures()


def examples(lite: LiteModule[Any], sentences: list[Any]) -> Examples:
    """What the converter measures activations on."""
    return lambda: lite.examples(enough(sentences, CALIBRATION_WORDS))


def new_interpreter(content: bytes) -> Interpreter:
    """An interpreter of a file's bytes, on one thread."""
    return Interpreter(model_content=content, num_threads=1)


def refuse_wrong(difference: float, quantize: str) -> None:
    """A float file has to be the model; a quantised one has to be finite."""
    limit = LARGEST_FLOAT_DIFFERENCE if quantize == "none" else np.inf
    if not np.isfinite(difference) or difference > limit:
        raise ZooError(f"the exported file differs from the model by {difference}; not written")


@singledispatch
def lite_module(model: object) -> LiteModule[Any]:
    """The signatures of a model; a class of models is registered here with its."""
    raise ZooError(f"a {type(model).__name__} has no TFLite form")


lite_module.register(models.RecurrentLanguageModel, neural_module)
lite_module.register(models.NeuralProbabilisticLanguageModel, neural_module)
lite_module.register(models.NGramLanguageModel, counts_module)
lite_module.register(models.InterpolatedLanguageModel, counts_module)
lite_module.register(models.BidirectionalLanguageModel, LiteCloze)
lite_module.register(models.BidirectionalTagger, LiteTagger)
lite_module.register(models.BidirectionalRestorer, LiteRestorer)
lite_module.register(models.BidirectionalClassifier, LiteClassifier)
lite_module.register(models.Seq2Seq, LiteTranslation)
