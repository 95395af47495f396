"""A zoo of language and translation models: from n-gram counts to LSTM and RNN translation.

Example:
    >>> import zoo
    >>> kn = zoo.models.NGramLanguageModel.train(["the cat is small"], order=2)
    >>> kn.rank(["small the is cat", "the cat is small"])[0][0]
    'the cat is small'
"""

from __future__ import annotations

from zoo import decoding, layers, metrics, models, text
from zoo._version import __version__
from zoo.decoding import Beam, Greedy, Sample, TopK, TopP
from zoo.errors import ZooError
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
