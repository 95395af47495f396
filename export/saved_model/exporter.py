"""SavedModels that take raw text, for TensorFlow Serving or the embedded server.

`OUT/VERSION/` is written beside its final place and renamed, so a server that polls `OUT` never
sees half a version. After writing, the file is loaded again and compared with the Python model.
"""

from __future__ import annotations

import os
from functools import singledispatch
from pathlib import Path

import numpy as np
import tensorflow as tf

from export.report import STRICT_JSON, ExportReport, size_of
from export.saved_model.cloze import ClozeGraph
from export.saved_model.graph import ServedModel
from export.saved_model.labels import (
    ClassifierGraph,
    RestorerGraph,
    TaggerGraph,
    name_classify_method,
)
from export.saved_model.language_model import neural_module
from export.saved_model.ngram import counts_module
from export.saved_model.translation import TranslationGraph
from zoo import models
from zoo.errors import ZooError
from zoo.io import replaced_directory
from zoo.models.base import PresetModel


def export_saved_model(
    model: PresetModel, out_dir: str | os.PathLike[str], version: int | None = None
) -> ExportReport:
    """Write `out_dir/VERSION/saved_model.pb` and compare it with the model.

    Args:
        model: any model of the zoo.
        out_dir: the model's base path, as a server's `base_path` names it.
        version: the version's number; None takes the next free one.

    Raises:
        ZooError: the version exists, or `out_dir` is a file.
    """
    base = Path(out_dir)
    target = base / str(version if version is not None else next_version(base))
    if target.exists():
        raise ZooError(f"{target} exists; give another version or --out")
    return write_saved_model(model, target)


def write_saved_model(model: PresetModel, target: str | os.PathLike[str]) -> ExportReport:
    """Write a model as the SavedModel `target`, atomically, and compare it with the model.

    Args:
        model: any model of the zoo.
        target: a directory; a SavedModel that is there is replaced.

    Raises:
        ZooError: `target` is a file, or holds something else.
    """
    path = Path(target)
    refuse_foreign_target(path)
    module = graph_module(model)
    # Its name starts with a dot: servers, which look for numbers, leave the unfinished one alone.
    with replaced_directory(path) as temporary:
        traced = module.signatures()
        tf.saved_model.save(module, str(temporary), signatures=traced)
        name_classify_method(temporary)
        (temporary / STRICT_JSON).parent.mkdir(exist_ok=True)
        (temporary / STRICT_JSON).touch()
        difference = checked_difference(module, temporary)
    return ExportReport(path, size_of(path), sorted(traced), difference)


def refuse_foreign_target(target: Path) -> None:
    """A directory that is not a SavedModel is never overwritten."""
    if target.is_file():
        raise ZooError(f"{target} is a file; give a directory to export to")
    is_other = target.is_dir() and not (target / "saved_model.pb").exists()
    if is_other and any(target.iterdir()):
        raise ZooError(f"{target} holds other files; give a new directory to export to")


def next_version(base: Path) -> int:
    """One more than the highest version in a base path; 1 for a new one."""
    if base.is_file():
        raise ZooError(f"{base} is a file; give a directory to export to")
    found = [int(p.name) for p in base.glob("*") if p.name.isdigit()] if base.is_dir() else []
    return max(found, default=0) + 1


@singledispatch
def graph_module(model: object) -> ServedModel:
    """The module with the signatures of a model; a class of models is registered here with its."""
    raise ZooError(f"a {type(model).__name__} has no SavedModel form")


graph_module.register(models.RecurrentLanguageModel, neural_module)
graph_module.register(models.NeuralProbabilisticLanguageModel, neural_module)
graph_module.register(models.CachedLanguageModel, neural_module)
graph_module.register(models.PointerLanguageModel, neural_module)
graph_module.register(models.NGramLanguageModel, counts_module)
graph_module.register(models.InterpolatedLanguageModel, counts_module)
graph_module.register(models.BidirectionalLanguageModel, ClozeGraph)
graph_module.register(models.BidirectionalTagger, TaggerGraph)
graph_module.register(models.BidirectionalRestorer, RestorerGraph)
graph_module.register(models.BidirectionalClassifier, ClassifierGraph)
graph_module.register(models.Seq2Seq, TranslationGraph)


def checked_difference(module: ServedModel, directory: Path) -> float:
    """Largest difference between the written file, loaded again, and the Python model."""
    difference = float(module.difference(tf.saved_model.load(str(directory))))
    if not np.isfinite(difference):
        raise ZooError(f"the exported file differs from the model by {difference}; not written")
    return difference
