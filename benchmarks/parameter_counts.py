"""How many parameters an architecture has, by formula; tests hold them to the models' own counts.

V is the vocabulary, D the word vectors' size, H the hidden state's, n the window.
"""

from __future__ import annotations


def rnn_gates(cell: str) -> int:
    """Matrices side by side in a cell's kernels."""
    return {"rnn": 1, "gru": 3, "lstm": 4, "cifg": 3}[cell]


def cell_parameters(cell: str, inputs: int, units: int) -> int:
    """g (D H + H² + H), and one more bias of 3 H for the GRU's U h + b_r."""
    gates = rnn_gates(cell)
    return gates * units * (inputs + units + 1) + (gates * units if cell == "gru" else 0)


def recurrent_count(v: int, d: int, h: int, layers: int, cell: str, tied: bool) -> int:
    """Embedding, layers, output; a tied model's last layer has D units and no output matrix."""
    sizes = [h] * (layers - 1) + [d if tied else h]
    total = v * d + v + (0 if tied else v * h)
    for inputs, units in zip([d, *sizes], sizes, strict=False):
        total += cell_parameters(cell, inputs, units)
    return total


def nplm_count(v: int, d: int, h: int, n: int, direct: bool) -> int:
    return v * d + n * d * h + h + v * h + v + (v * n * d if direct else 0)


def bidirectional_count(v: int, d: int, h: int, layers: int, cell: str, mixed: bool) -> int:
    total = v * d + 2 * h * v + v + (d if mixed else 0)
    for i in range(layers):
        inputs = d if i == 0 else (2 * h if mixed else h)
        total += 2 * cell_parameters(cell, inputs, h)
    return total


def label_count(v: int, d: int, h: int, layers: int, cell: str, mixed: bool, labels: int) -> int:
    """A bidirectional network with labels in place of words at its output."""
    both = bidirectional_count(v, d, h, layers, cell, mixed) - (d if mixed else 0)
    return both - (2 * h + 1) * (v - labels)


def base_translation_count(v: int, d: int, h: int, cell: str, source: int) -> int:
    """One recurrence for both halves, no target word vectors."""
    return source * d + cell_parameters(cell, d, h) + v * h + v
