"""A zoo of language and translation models: from n-gram counts to LSTM and RNN translation.

Example:
    >>> import zoo
    >>> kn = zoo.models.NGramLanguageModel.train(["the cat is small"], order=2)
    >>> kn.rank(["small the is cat", "the cat is small"])[0][0]
    'the cat is small'
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from zoo._version import __version__
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo import decoding, layers, metrics, models, text
    from zoo.decoding import Beam, Greedy, Sample, TopK, TopP
    from zoo.models.registry import load
    from zoo.presets.store import PresetInfo, list_presets

__all__ = [
    "Beam",
    "Greedy",
    "PresetInfo",
    "Sample",
    "TopK",
    "TopP",
    "ZooError",
    "__version__",
    "decoding",
    "layers",
    "list_presets",
    "load",
    "metrics",
    "models",
    "text",
]

# Names are looked up when they are used, so that `zoo --help` need not wait for TensorFlow.
_PACKAGES = ("decoding", "layers", "metrics", "models", "text")
_HOMES = {
    **dict.fromkeys(("Beam", "Greedy", "Sample", "TopK", "TopP"), "zoo.decoding"),
    "load": "zoo.models.registry",
    **dict.fromkeys(("PresetInfo", "list_presets"), "zoo.presets.store"),
}


def __getattr__(name: str) -> Any:
    """A name of `__all__` from where it is defined, once."""
    if name in _PACKAGES:
        return importlib.import_module(f"zoo.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# Where Keras is there before, `keras.models.load_model` knows our classes from here on. Elsewhere
# `zoo.load` reads its files, and whatever imports the classes makes them known.
if "keras" in sys.modules and hasattr(sys.modules["keras"], "models"):
    importlib.import_module(_HOMES["load"]).register_all()
