"""`zoo train`: from a config to the rows of its epochs, in a directory of the run's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.config import RunConfig
from training.run.guards import held, told_of_full_disks
from training.run.loop import Run, directory_of
from training.tasks.counts import train_by_counting
from training.tasks.registry import make_task
from zoo.errors import ZooError
from zoo.models.keras_model import KerasModel
from zoo.models.registry import model_class


def train_epochs(
    config: RunConfig,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> Iterator[dict[str, Any]]:
    """Train what a config describes; yields a row after each epoch.

    Args:
        config: see `training.config.read_run_config`.
        data_dir: the corpora's folder.
        out: the preset directory to write; `runs/NAME` unless given.
        resume: go on from the last checkpoint beside `out`.

    Raises:
        ZooError: bad config or data, another process writes `out`, the disk is full, or the loss
            became NaN (the last checkpoint is intact).
        Stopped: the process was told to stop (SIGTERM); the checkpoint is written.
    """
    target = Path(out) if out else Path("runs") / config.name
    directory = directory_of(target)
    with told_of_full_disks(directory), held(directory):
        if issubclass(model_class(config.model.class_name), KerasModel):
            yield from _train(config, data_dir, target, resume)
        else:
            yield from train_by_counting(config, data_dir, target)


def _train(
    config: RunConfig, data_dir: str | os.PathLike[str] | None, target: Path, resume: bool
) -> Iterator[dict[str, Any]]:
    """The epochs of a new or a resumed run."""
    run = make_run(config, data_dir, target)
    if resume:
        run.resume()
    elif run.checkpoint.is_file():
        raise ZooError(
            f"{run.directory} holds an earlier run; give --resume, another --out, or delete it"
        )
    yield from run.epochs()


def make_run(config: RunConfig, data_dir: str | os.PathLike[str] | None, out: Path) -> Run:
    """The run of a config, at its start."""
    return Run(config, make_task(config, data_dir), out)
