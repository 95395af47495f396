"""What the packages above do for this one, named here as strings and imported when it is wanted.

`zoo` imports none of them. The command line and `model.export` ask for their work by these names,
and nothing else does.
"""

from __future__ import annotations

import importlib
from typing import Any

from zoo.errors import ZooError

# What is asked for -> module and function of a package that `zoo` does not import.
ELSEWHERE = {
    "train": ("training.cli", "train"),
    "evaluate": ("training.cli", "evaluate"),
    "gradients": ("training.cli", "gradients"),
    "publish": ("training.cli", "publish"),
    "corpus": ("training.datasets.load", "load"),
    "gate maps": ("training.diagnostics.gate_maps", "gate_maps"),
    "export": ("export.cli", "export"),
    "saved_model": ("export.saved_model.exporter", "write_saved_model"),
    "litert": ("export.tflite.exporter", "export_tflite"),
    "serve": ("serving.__main__", "main"),
}


def call_by_name(name: str, *arguments: Any, **options: Any) -> Any:
    """Call the function that `ELSEWHERE` has under this name.

    Raises:
        ZooError: the package is not installed.
    """
    module, function = ELSEWHERE[name]
    package = module.partition(".")[0]
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        raise ZooError(
            f"the package {package!r} is not installed: install the whole of recurrent-zoo"
        ) from None
    return getattr(importlib.import_module(module), function)(*arguments, **options)
