"""Recurrent layers: drop-ins for `keras.layers` with the notes' equations and faster training.

Weights go both ways between a model of `keras.layers` and the same model of these layers, by
`save_weights` and `load_weights`, which reads `.weights.h5` and `.keras`. A whole `.keras` file:

    def ours(layer):
        made = getattr(zoo.layers, type(layer).__name__, type(layer))
        return made.from_config(layer.get_config())

    model = keras.models.load_model("stock.keras")
    model = keras.models.clone_model(model, clone_function=ours)
    model.load_weights("stock.keras")

Each is there as a cell too, for `keras.layers.RNN` and loops of one's own. docs/adding-a-cell.md
tells how to add one.
"""

from zoo.layers.attention import BahdanauAttention
from zoo.layers.bidirectional import Bidirectional
from zoo.layers.cells import CIFGCell, GRUCell, LSTMCell, SimpleRNNCell
from zoo.layers.cifg import CIFG
from zoo.layers.dropout import EmbeddingDropout, LockedDropout
from zoo.layers.gru import GRU
from zoo.layers.lstm import LSTM
from zoo.layers.named import CELLS, make_recurrent
from zoo.layers.recurrent import Recurrent
from zoo.layers.seq2seq.decoder import Decoder
from zoo.layers.seq2seq.encoder import Encoder
from zoo.layers.simple_rnn import SimpleRNN
from zoo.layers.softmax.adaptive import AdaptiveSoftmax
from zoo.layers.softmax.blocked import blocked_softmax_cross_entropy, blocked_softmax_loss
from zoo.layers.softmax.mixture import MixtureOfSoftmaxes
from zoo.layers.softmax.sampled import sampled_softmax_cross_entropy
from zoo.layers.softmax.vocabulary_output import VocabularyOutput
from zoo.layers.stages import cell_stages

__all__ = [
    "CELLS",
    "CIFG",
    "GRU",
    "LSTM",
    "AdaptiveSoftmax",
    "BahdanauAttention",
    "Bidirectional",
    "CIFGCell",
    "Decoder",
    "EmbeddingDropout",
    "Encoder",
    "GRUCell",
    "LSTMCell",
    "LockedDropout",
    "MixtureOfSoftmaxes",
    "Recurrent",
    "SimpleRNN",
    "SimpleRNNCell",
    "VocabularyOutput",
    "blocked_softmax_cross_entropy",
    "blocked_softmax_loss",
    "cell_stages",
    "make_recurrent",
    "sampled_softmax_cross_entropy",
]
