"""The list of cells, from which models, tests and benchmarks pick one by name."""

from __future__ import annotations

from typing import Any

from zoo.errors import ZooError
from zoo.layers.cifg import CIFG
from zoo.layers.gru import GRU
from zoo.layers.lstm import LSTM
from zoo.layers.recurrent import Recurrent
from zoo.layers.simple_rnn import SimpleRNN

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
