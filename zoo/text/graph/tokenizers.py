"""The graph form of any tokenizer: what exports put in front of a model, and behind it."""

from __future__ import annotations

from functools import singledispatch
from typing import Protocol
from weakref import WeakKeyDictionary

import tensorflow as tf

from zoo.errors import ZooError
from zoo.text.graph.subwords import GraphSubwordTokenizer
from zoo.text.graph.words import GraphWordTokenizer
from zoo.text.subword import SubwordTokenizer
from zoo.text.tokenizer import Tokenizer
from zoo.text.word import WordTokenizer


class GraphTokenizer(Protocol):
    """A trackable TensorFlow module that gives the same ids and text as its tokenizer.

    Attributes:
        vocabulary: the tokens by id; a string variable [vocabulary].
        vocabulary_asset: the vocabulary as a file that an export carries along.
    """

    vocabulary: tf.Variable
    vocabulary_asset: tf.saved_model.Asset

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of each text: string [batch] -> ragged int32 [batch, None]."""

    def decode(self, ids: tf.Tensor) -> tf.Tensor:
        """Text of ids up to `<eos>` or padding: int32 [..., time] -> string [...]."""


# The graph of a tokenizer that two models share, or that is exported twice, is made once.
_made: WeakKeyDictionary[Tokenizer, GraphTokenizer] = WeakKeyDictionary()


def graph_tokenizer(tokenizer: Tokenizer) -> GraphTokenizer:
    """The same tokenizer as a trackable TensorFlow module, made once."""
    graph = _made.get(tokenizer)
    if graph is None:
        graph = _made[tokenizer] = new_graph(tokenizer)
    return graph


@singledispatch
def new_graph(tokenizer: Tokenizer) -> GraphTokenizer:
    """A new module; a class of tokenizers is registered here with its graph form."""
    raise ZooError(
        f"{type(tokenizer).__name__} has no graph form; register it in zoo/text/graph/tokenizers.py"
    )


new_graph.register(WordTokenizer, GraphWordTokenizer)
new_graph.register(SubwordTokenizer, GraphSubwordTokenizer)
