"""The model classes a preset may name.

A family registers itself: its class stands under `@model_family` in a file of zoo/models. Which
classes there are is read from the text of the package's own files, so that nothing is imported
before it is used. A preset's directory adds nothing to them: loading it never runs its code.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from zoo.errors import ZooError
from zoo.presets import store
from zoo.presets.store import PresetConfig

if TYPE_CHECKING:
    from zoo.models.bidirectional import BidirectionalLanguageModel
    from zoo.models.ngram import NGramLanguageModel
    from zoo.models.nplm import NeuralProbabilisticLanguageModel
    from zoo.models.recurrent import RecurrentLanguageModel
    from zoo.models.seq2seq.model import Seq2Seq
    from zoo.presets import names

FOLDER = Path(__file__).parent
KERAS_FILES = "zoo.models.keras_file"  # by name: it needs this file, and Keras, which counts do not
DECLARATION = re.compile(r"^@model_family\n(?:@.*\n)*class (\w+)", re.MULTILINE)


@cache
def families() -> Mapping[str, str]:
    """The module of each declared class."""
    found = {}
    for path in sorted(FOLDER.rglob("*.py")):
        module = ".".join(("zoo", "models", *path.relative_to(FOLDER).with_suffix("").parts))
        for name in DECLARATION.findall(path.read_text(encoding="utf-8")):
            found[name] = module
    return found


def model_class(name: str) -> Any:
    """The class of a preset's `class` entry."""
    if name not in families():
        raise ZooError(f"unknown model class {name!r}: this version has {', '.join(families())}")
    return getattr(importlib.import_module(families()[name]), name)


def save_file(model: object, path: str | os.PathLike[str], **options: Any) -> None:
    """Write a `.keras` file of a model that Keras has no weights of."""
    importlib.import_module(KERAS_FILES).save_other(model, path, **options)


def register_all() -> None:
    """Import every family, so that `keras.models.load_model` knows its class."""
    for name in families():
        model_class(name)
    importlib.import_module(KERAS_FILES)


@overload
def load(name_or_directory: names.BidirectionalLanguageModelName) -> BidirectionalLanguageModel: ...


@overload
def load(name_or_directory: names.RecurrentLanguageModelName) -> RecurrentLanguageModel: ...


@overload
def load(name_or_directory: names.NGramLanguageModelName) -> NGramLanguageModel: ...


@overload
def load(
    name_or_directory: names.NeuralProbabilisticLanguageModelName,
) -> NeuralProbabilisticLanguageModel: ...


@overload
def load(name_or_directory: names.Seq2SeqName) -> Seq2Seq: ...


@overload
def load(name_or_directory: str | os.PathLike[str]) -> Any: ...


def load(name_or_directory: str | os.PathLike[str]) -> Any:
    """Load a model by a shipped preset's name, or from a directory or file that one was saved to.

    Args:
        name_or_directory: a name of `zoo.list_presets()`, a directory that `save_to_preset` wrote,
            or a `.keras` file that `save` wrote.

    Example:
        >>> import zoo
        >>> zoo.load("no_such_preset")
        Traceback (most recent call last):
            ...
        zoo.errors.ZooError: no preset or directory 'no_such_preset'...
    """
    path = Path(name_or_directory)
    if path.suffix == ".keras" and path.is_file():
        return importlib.import_module(KERAS_FILES).load_file(path)
    return load_from(store.resolve(name_or_directory))


def load_from(directory: Path, preset: PresetConfig | None = None) -> Any:
    """The model in a directory, whose config.json may have been read already."""
    preset = preset or store.read_config(directory)
    return model_class(preset.class_name).from_config_and_assets(directory, preset)
