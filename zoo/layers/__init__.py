"""Recurrent layers: drop-ins for `keras.layers` with the notes' equations and faster training.

Weights go both ways between a model of `keras.layers` and the same model of these layers, by
`save_weights` and `load_weights`, which reads `.weights.h5` and `.keras`. A whole `.keras` file:

    def ours(layer):
        made = getattr(zoo.layers, type(layer).__name__, type(layer))
        return made.from_config(layer.get_config())

    model = keras.models.load_model("stock.keras")
    model = keras.models.clone_model(model, clone_function=ours)
    model.load_weights("stock.keras")

Here too is the list of cells, from which models, tests and benchmarks pick one by name; see
docs/adding-a-cell.md.
"""

from typing import Any

from zoo.errors import ZooError
from zoo.layers.attention import BahdanauAttention
from zoo.layers.bidirectional import Bidirectional
from zoo.layers.cifg import CIFG
from zoo.layers.dropout import EmbeddingDropout, LockedDropout
from zoo.layers.gru import GRU
from zoo.layers.lstm import LSTM
from zoo.layers.recurrent import Recurrent
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
    "EmbeddingDropout",
    "LockedDropout",
    "MixtureOfSoftmaxes",
    "Recurrent",
    "SimpleRNN",
    "VocabularyOutput",
    "blocked_softmax_cross_entropy",
    "blocked_softmax_loss",
    "cell_stages",
    "make_recurrent",
    "sampled_softmax_cross_entropy",
]

CELLS: dict[str, type[Recurrent]] = {
    "rnn": SimpleRNN,
    "gru": GRU,
    "lstm": LSTM,
    "cifg": CIFG,
}


def make_recurrent(
    cell_name: str, units: int, output_size: int | None = None, **kwargs: Any
) -> Recurrent:
    """Make a recurrent layer by the cell's name.

    Args:
        cell_name: a key of `CELLS`.
        units: size of the hidden state.
        output_size: size of h_t where it must be another: the cell's projection gives it, or, of
            a cell without one, as many units.
        **kwargs: the layer's other arguments.

    Raises:
        ZooError: the name is not in `CELLS`.

    Example:
        >>> make_recurrent("gru", 8, return_sequences=True).state_size
        [8]
    """
    if cell_name not in CELLS:
        raise ZooError(f"unknown cell {cell_name!r}: choose one of {', '.join(CELLS)}")
    layer = CELLS[cell_name]
    sizes = {"units": units} if output_size is None else layer.sizes(units, output_size)
    arguments: dict[str, Any] = {**kwargs, **sizes}
    return layer(**arguments)
