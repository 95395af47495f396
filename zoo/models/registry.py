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
from typing import Any

from zoo.errors import ZooError
from zoo.presets import store
from zoo.presets.store import PresetConfig

FOLDER = Path(__file__).parent
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


def load(name_or_directory: str | os.PathLike[str]) -> Any:
    """Load a model by a shipped preset's name or from a directory written by `save_to_preset`.

    Example:
        >>> import zoo
        >>> zoo.load("no_such_preset")
        Traceback (most recent call last):
            ...
        zoo.errors.ZooError: no preset or directory 'no_such_preset'...
    """
    return load_from(store.resolve(name_or_directory))


def load_from(directory: Path, preset: PresetConfig | None = None) -> Any:
    """The model in a directory, whose config.json may have been read already."""
    preset = preset or store.read_config(directory)
    return model_class(preset.class_name).from_config_and_assets(directory, preset)
