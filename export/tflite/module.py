"""What the signatures of every kind of model share, and what the exporter asks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.saved_model.graph import Signatures
from export.tflite.check import Check, Rows, random_sentences
from zoo.errors import ZooError
from zoo.models import BidirectionalClassifier, BidirectionalLanguageModel, BidirectionalTagger
from zoo.models.base import PresetModel
from zoo.text import Tokenizer
from zoo.text.padding import pad

LENGTH = 64
Inputs: TypeAlias = dict[str, np.ndarray]
Sentence = TypeVar("Sentence")  # what a kind of model is compared on: ids, or source and target


class TextPair(Protocol):
    """A source and its known translation."""

    source: str
    target: str


Text: TypeAlias = str | TextPair


class LiteModule(ABC, Generic[Sentence]):
    """A model's signatures as traced functions of batch 1.

    Attributes:
        quantizations: what `convert` may do to the weights.
        python_model: the model.
        resources: its variables, and modules that hold more.
        length: places for ids in the inputs.
    """

    quantizations: ClassVar[tuple[str, ...]]
    python_model: PresetModel
    resources: Sequence[tf.Variable | tf.Module]
    length: int

    @abstractmethod
    def signatures(self) -> Signatures:
        """Concrete functions by signature name."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What a runtime must know."""

    @abstractmethod
    def tokenizers(self) -> Mapping[str, Tokenizer]:
        """By folder in the archive; "" for a model with one."""

    @abstractmethod
    def sentences(self, texts: Iterable[Any] | None) -> list[Sentence]:
        """What to compare on: of the texts, or without any of the model's own making."""

    @abstractmethod
    def compare(self, interpreter: Interpreter, sentences: list[Sentence]) -> Check:
        """The file's answers against the model's."""

    def examples(self, sentences: list[Sentence]) -> Iterator[tuple[str, Inputs]]:
        """Inputs of every signature, for measuring the activations that "int8" rounds."""
        raise ZooError(f"quantize='int8' is not for a {type(self.python_model).__name__}")


class WholeSentences(LiteModule[list[int]]):
    """Signatures of a model with one tokenizer that reads a whole sentence at once."""

    python_model: BidirectionalLanguageModel | BidirectionalTagger | BidirectionalClassifier

    def tokenizers(self) -> dict[str, Tokenizer]:
        return {"": self.python_model.tokenizer}

    def sentences(self, texts: Iterable[str] | None) -> Rows:
        """Word ids to compare on: of the texts, or words by chance."""
        tokenizer = self.python_model.tokenizer
        if texts is None:
            return random_sentences(tokenizer.vocabulary_size)
        return [tokenizer.encode(text) for text in texts]


def padded_row(ids: Sequence[int], length: int) -> Inputs:
    """One row of ids as signatures take it: `ids` [1, length] and `length` [1]."""
    padded, lengths = pad([ids], multiple=length)
    return {"ids": padded, "length": lengths}
