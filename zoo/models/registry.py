"""The model classes a preset may name: a fixed list, so loading a directory never runs its code."""

from __future__ import annotations

import importlib
import os
from typing import Any

from zoo.errors import ZooError
from zoo.presets import store

MODEL_CLASSES = {
    "NGramLanguageModel": "zoo.models.ngram",
    "NeuralProbabilisticLanguageModel": "zoo.models.nplm",
    "RecurrentLanguageModel": "zoo.models.recurrent",
    "BidirectionalLanguageModel": "zoo.models.bidirectional",
    "InterpolatedLanguageModel": "zoo.models.interpolated",
    "Seq2Seq": "zoo.models.seq2seq.model",
}


def model_class(name: str) -> Any:
    """The class of a preset's `class` entry."""
    if name not in MODEL_CLASSES:
        raise ZooError(f"unknown model class {name!r}: this version has {', '.join(MODEL_CLASSES)}")
    return getattr(importlib.import_module(MODEL_CLASSES[name]), name)


def load(name_or_directory: str | os.PathLike[str]) -> Any:
    """Load a model by a shipped preset's name or from a directory written by `save_to_preset`.

    Example:
        >>> import zoo
        >>> zoo.load("no_such_preset")
        Traceback (most recent call last):
            ...
        zoo.errors.ZooError: no preset or directory 'no_such_preset'...
    """
    directory = store.resolve(name_or_directory)
    preset = store.read_config(directory)
    return model_class(preset.class_name).from_config_and_assets(directory, preset)
