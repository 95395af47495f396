"""Recurrent layers: drop-ins for `keras.layers` with the notes' equations and faster training."""

from zoo.layers.bidirectional import Bidirectional
from zoo.layers.catalog import CELLS, make_recurrent
from zoo.layers.cifg import CIFG
from zoo.layers.gru import GRU
from zoo.layers.lstm import LSTM
from zoo.layers.recurrent import Recurrent
from zoo.layers.simple_rnn import SimpleRNN

__all__ = [
    "CELLS",
    "CIFG",
    "GRU",
    "LSTM",
    "Bidirectional",
    "Recurrent",
    "SimpleRNN",
    "make_recurrent",
]
