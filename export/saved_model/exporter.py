"""SavedModels that take raw text, for TensorFlow Serving or the embedded server.

`OUT/VERSION/` is written beside its final place and renamed, so a server that polls `OUT` never
sees half a version. After writing, the file is loaded again and compared with the Python model.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export.report import ExportReport, size_of
from zoo.errors import ZooError


def export_saved_model(
    model: Any, out_dir: str | os.PathLike[str], version: int | None = None
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
    module = graph_module(model)
    base.mkdir(parents=True, exist_ok=True)
    # The leading dot keeps servers, which look for numbers, away from the unfinished directory.
    temporary = Path(tempfile.mkdtemp(prefix=".writing.", dir=base))
    try:
        traced = module.signatures()
        tf.saved_model.save(module, str(temporary), signatures=traced)
        difference = checked_difference(module, temporary)
        temporary.chmod(0o755)
        os.rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return ExportReport(target, size_of(target), sorted(traced), difference)


def next_version(base: Path) -> int:
    """One more than the highest version in a base path; 1 for a new one."""
    if base.is_file():
        raise ZooError(f"{base} is a file; give a directory to export to")
    found = [int(p.name) for p in base.glob("*") if p.name.isdigit()] if base.is_dir() else []
    return max(found, default=0) + 1


# Which file makes the signatures of which class.
KINDS = {
    "RecurrentLanguageModel": ("export.saved_model.language_model", "neural_module"),
    "NeuralProbabilisticLanguageModel": ("export.saved_model.language_model", "neural_module"),
    "NGramLanguageModel": ("export.saved_model.ngram", "ngram_module"),
    "InterpolatedLanguageModel": ("export.saved_model.ngram", "ngram_module"),
    "BidirectionalLanguageModel": ("export.saved_model.cloze", "cloze_module"),
    "Seq2Seq": ("export.saved_model.translation", "translation_module"),
}


def graph_module(model: Any) -> Any:
    """The module with the signatures of a model's kind.

    A module has `signatures()` and `difference(loaded)`; each kind's file is imported when needed.
    """
    for ancestor in type(model).__mro__:
        if ancestor.__name__ in KINDS:
            file, maker = KINDS[ancestor.__name__]
            return getattr(importlib.import_module(file), maker)(model)
    raise ZooError(f"a {type(model).__name__} has no SavedModel form")


def checked_difference(module: Any, directory: Path) -> float:
    """Largest difference between the written file, loaded again, and the Python model."""
    difference = float(module.difference(tf.saved_model.load(str(directory))))
    if not np.isfinite(difference):
        raise ZooError(f"the exported file differs from the model by {difference}; not written")
    return difference
