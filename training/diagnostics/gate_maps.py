"""Heat maps of gates: a row of maps a layer, one map a stage, words from left to right.

Of a wide layer some units are drawn: those whose state changes most from word to word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.diagnostics.plots import new_figure, write_png
from zoo.models.gates import Gates

MOST_UNITS = 32
SYMBOLS = {"h_tilde": r"$\tilde{h}$", "c_tilde": r"$\tilde{c}$"}
SIGNED = ("h", "c", *SYMBOLS)


def gate_maps(gates: Gates, path: Path) -> Path:
    """Draw the stages of every layer over the words of one text."""
    columns = max(len(stages) for stages in gates.layers.values())
    width = 1.2 + columns * max(1.6, 0.16 * len(gates.words))
    figure, axes = new_figure(width, 0.4 + 3.2 * len(gates.layers))
    axes.remove()
    grid = figure.subplots(len(gates.layers), columns, squeeze=False)
    for row, (name, stages) in zip(grid, gates.layers.items(), strict=True):
        # By width, since a projection makes h narrower than the rest: the last of c, h decides.
        units = {values.shape[1]: liveliest(values, MOST_UNITS) for values in stages.values()}
        for place, axis in enumerate(row):
            if place >= len(stages):
                axis.remove()
                continue
            stage = list(stages)[place]
            values = stages[stage]
            _draw(axis, stage, values[:, units[values.shape[1]]], gates.words)
        row[0].set_ylabel(name)
    figure.suptitle(" ".join(gates.text.split()), fontsize=9)
    return write_png(figure, path)


def liveliest(h: np.ndarray, count: int) -> np.ndarray:
    """The units of `[words, units]` whose values differ most, in their own order."""
    return np.sort(np.argsort(-h.std(axis=0), kind="stable")[:count])


def _draw(axis: Any, stage: str, values: np.ndarray, words: list[str]) -> None:
    """One map: gates from 0 to 1, memories and states from −1 to 1 around white."""
    if stage in SIGNED:
        image = axis.imshow(values.T, aspect="auto", cmap="RdBu_r", vmin=-1, vmax=1)
    else:
        image = axis.imshow(values.T, aspect="auto", cmap="viridis", vmin=0, vmax=1)
    axis.set_title(SYMBOLS.get(stage, f"${stage}$"), fontsize=10)
    # A word may hold what matplotlib reads as mathematics.
    axis.set_xticks(range(len(words)), [word.replace("$", r"\$") for word in words])
    axis.tick_params(axis="x", labelrotation=90, labelsize=7)
    axis.set_yticks([])
    axis.figure.colorbar(image, ax=axis, location="bottom", shrink=0.8, pad=0.02)
