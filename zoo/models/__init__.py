"""One file a model family; `zoo.load` picks the class that a preset names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.models.registry import families, model_class

if TYPE_CHECKING:
    from zoo.models.bidirectional import BidirectionalLanguageModel
    from zoo.models.bidirectional_labels import BidirectionalClassifier, BidirectionalTagger
    from zoo.models.cached import CachedLanguageModel
    from zoo.models.interpolated import InterpolatedLanguageModel
    from zoo.models.ngram import NGramLanguageModel
    from zoo.models.nplm import NeuralProbabilisticLanguageModel
    from zoo.models.pointer import PointerLanguageModel
    from zoo.models.recurrent import RecurrentLanguageModel
    from zoo.models.restorer import BidirectionalRestorer
    from zoo.models.seq2seq.model import Seq2Seq

__all__ = [
    "BidirectionalClassifier",
    "BidirectionalLanguageModel",
    "BidirectionalRestorer",
    "BidirectionalTagger",
    "CachedLanguageModel",
    "InterpolatedLanguageModel",
    "NGramLanguageModel",
    "NeuralProbabilisticLanguageModel",
    "PointerLanguageModel",
    "RecurrentLanguageModel",
    "Seq2Seq",
]


def __getattr__(name: str) -> Any:
    """Model classes are imported when they are first named: `import zoo` stays quick."""
    if name in families():
        return model_class(name)
    raise AttributeError(f"module 'zoo.models' has no attribute {name!r}")
