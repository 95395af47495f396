"""Recurrent layers: drop-ins for `keras.layers` with the notes' equations and faster training."""

from zoo.layers.attention import BahdanauAttention
from zoo.layers.bidirectional import Bidirectional
from zoo.layers.catalog import CELLS, make_recurrent
from zoo.layers.cifg import CIFG
from zoo.layers.dropout import EmbeddingDropout, LockedDropout
from zoo.layers.gru import GRU
from zoo.layers.lstm import LSTM
from zoo.layers.recurrent import Recurrent
from zoo.layers.simple_rnn import SimpleRNN
from zoo.layers.softmax.adaptive import AdaptiveSoftmax
from zoo.layers.softmax.blocked import blocked_softmax_cross_entropy, blocked_softmax_loss
from zoo.layers.softmax.sampled import sampled_softmax_cross_entropy
from zoo.layers.softmax.vocabulary_output import VocabularyOutput

__all__ = [
    "CELLS",
    "CIFG",
    "GRU",
    "LSTM",
    "AdaptiveSoftmax",
    "BahdanauAttention",
    "Bidirectional",
    "EmbeddingDropout",
    "LockedDropout",
    "Recurrent",
    "SimpleRNN",
    "VocabularyOutput",
    "blocked_softmax_cross_entropy",
    "blocked_softmax_loss",
    "make_recurrent",
    "sampled_softmax_cross_entropy",
]
