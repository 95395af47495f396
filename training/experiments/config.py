"""An experiment's YAML file: which one, its networks, how long each is trained.

A file with an `experiment:` key is run by `zoo gradients FILE`; training/configs/
reference_experiment.yaml explains each key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from training.config import CONFIGS, Number, Section, checked, read_yaml


class Network(Section):
    """One network of an experiment.

    Attributes:
        cell: as in `zoo.layers.make_recurrent`, or "bidirectional <cell>"; of the texts also
            "nplm", Bengio's network, and "counts", n-grams.
        options: further arguments of the layer; `window` of nplm; `order`, `smoothing` and
            `stories` (how many are counted) of counts.
        learning_rate, clip_norm, steps: how it is trained, where it differs from the others.
    """

    cell: str
    options: dict[str, Any] = Field(default_factory=dict)
    learning_rate: Number | None = None
    clip_norm: Number | None = None
    steps: int | None = None


class ExperimentConfig(Section):
    """A whole experiment; every network sees the same examples in the same order."""

    experiment: Literal["story", "countries", "adding", "error_surface"]
    description: str = ""
    seed: int = 1
    networks: dict[str, Network] = Field(default_factory=dict)
    units: int = 64
    steps: int = 2000
    batch_size: int = 32
    learning_rate: Number = 2e-3
    clip_norm: Number = 1.0
    length: int = 150  # adding: numbers a sequence
    names: int = 10  # story, countries: how many names there are
    # story, countries: words between the name and the blank
    distances: Annotated[tuple[int, ...], Field(strict=False)] = (0, 5, 10, 20, 40)
    stop_when_solved: bool = True
    # error_surface: (w, b) at the start
    start: Annotated[tuple[Number, Number], Field(strict=False)] = (5.0, -2.3)


def read_experiment(path: str | Path) -> ExperimentConfig | None:
    """The experiment of a YAML file (or of its name under training/configs); None: not one.

    Raises:
        ZooError: it is an experiment's file, but wrong; the line names the key.
    """
    for candidate in (Path(path), CONFIGS / f"{path}.yaml"):
        if candidate.is_file():
            content = read_yaml(candidate)
            is_one = "experiment" in content
            return checked(ExperimentConfig, content, str(candidate)) if is_one else None
    return None
