"""`python -m benchmarks.figures`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.architectures import DOCS, GATE_TEXT
from benchmarks.figures import cells, networks, translators
from benchmarks.figures.svg import Drawing

FIGURES: dict[int, Callable[[], Drawing]] = {
    1: networks.bengio,
    2: networks.unrolled,
    3: networks.neuron,
    4: networks.loop,
    6: networks.bidirectional,
    7: networks.deep_bidirectional,
    8: translators.translator,
    9: translators.three_inputs,
    10: cells.gru,
    11: cells.lstm,
}
GATED = {name: f"{name}_tatoeba_en" for name in ("gru", "lstm", "cifg")}


def picture(number: int) -> Path:
    """The file of a figure."""
    return DOCS / "figures" / f"figure_{number}.svg"


def gate_picture(cell: str) -> Path:
    """The file of a cell's heat map."""
    return DOCS / "images" / f"gates_{cell}.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gates", action="store_true", help="heat maps of the presets' gates too")
    options = parser.parse_args()
    for number, draw in FIGURES.items():
        picture(number).parent.mkdir(exist_ok=True)
        picture(number).write_text(draw().svg(), encoding="utf-8")
    if options.gates:
        import zoo
        from training.diagnostics.gate_maps import gate_maps

        for cell, preset in GATED.items():
            gate_maps(zoo.load(preset).gates([GATE_TEXT])[0], gate_picture(cell))


if __name__ == "__main__":
    main()
