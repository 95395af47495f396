"""An experiment's YAML file: which one, its networks, how long each is trained.

A file with an `experiment:` key is run by `zoo gradients FILE`; see training/configs/story.yaml.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.config import CONFIGS
from zoo.errors import ZooError

EXPERIMENTS = ("story", "adding", "error_surface")


@dataclass(frozen=True)
class Network:
    """One network of an experiment.

    Attributes:
        cell: as in `zoo.layers.make_recurrent`, or "bidirectional <cell>".
        options: further arguments of the layer.
        learning_rate, clip_norm, steps: how it is trained, where it differs from the others.
    """

    cell: str
    options: dict[str, Any] = field(default_factory=dict)
    learning_rate: float | None = None
    clip_norm: float | None = None
    steps: int | None = None


@dataclass(frozen=True)
class ExperimentConfig:
    """A whole experiment; every network sees the same examples in the same order."""

    experiment: str
    description: str = ""
    seed: int = 1
    networks: dict[str, Network] = field(default_factory=dict)
    units: int = 64
    steps: int = 2000
    batch_size: int = 32
    learning_rate: float = 2e-3
    clip_norm: float = 1.0
    length: int = 150  # adding: numbers a sequence
    names: int = 10  # story: how many names there are
    distances: tuple[int, ...] = (0, 5, 10, 20, 40)  # story: words between the name and the blank
    stop_when_solved: bool = True
    start: tuple[float, float] = (5.0, -2.3)  # error_surface: (w, b) at the start


def read_experiment(path: str | Path) -> ExperimentConfig | None:
    """The experiment of a YAML file (or of its name under training/configs); None: not one.

    Raises:
        ZooError: it is an experiment's file, but wrong; the line names the key.
    """
    for candidate in (Path(path), CONFIGS / f"{path}.yaml"):
        if candidate.is_file():
            return _parse(candidate)
    return None


def _parse(path: Path) -> ExperimentConfig | None:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ZooError(f"{path} is not a readable YAML file: {error}") from None
    if not isinstance(content, dict) or "experiment" not in content:
        return None
    if content["experiment"] not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        raise ZooError(f"{path}: experiment {content['experiment']!r} is none of {known}")
    networks = {
        name: _checked(Network, {**settings}, f"{path}: networks.{name}")
        for name, settings in (content.pop("networks", None) or {}).items()
    }
    if "distances" in content:
        content["distances"] = tuple(content["distances"])
    return _checked(ExperimentConfig, {**content, "networks": networks}, str(path))


def _checked(cls: Any, content: dict[str, Any], where: str) -> Any:
    known = [f.name for f in dataclasses.fields(cls)]
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise ZooError(f"{where}: unknown key {unknown[0]!r}; known keys are {', '.join(known)}")
    try:
        return cls(**content)
    except TypeError as error:
        raise ZooError(f"{where}: {error}") from None
