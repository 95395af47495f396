"""When to lower the learning rate, when to start averaging, when to stop: plain numbers, no hooks.

The state is a small dataclass that goes into every checkpoint, so a resumed run decides as an
uninterrupted one.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from training.config import TrainingConfig


@dataclass
class Progress:
    """Where a run stands after some epochs."""

    learning_rate: float
    epoch: int = 0  # epochs done
    steps: int = 0
    best: float | None = None  # best validation figure so far, lower is better
    best_epoch: int = 0
    since_best: int = 0
    since_decay: int = 0
    averaged_steps: int = 0  # 0: averaging has not started
    stopped: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def after_epoch(progress: Progress, figure: float, config: TrainingConfig) -> bool:
    """Take in an epoch's validation figure (lower is better); returns whether it is the best."""
    progress.epoch += 1
    improved = progress.best is None or figure < progress.best
    if improved:
        progress.best, progress.best_epoch, progress.since_best = figure, progress.epoch, 0
    else:
        progress.since_best += 1
    progress.since_decay = 0 if improved else progress.since_decay + 1
    _decay(progress, config)
    start_averaging = config.optimizer.average and not progress.averaged_steps
    if progress.since_best >= config.stop_after and not start_averaging:
        progress.stopped = True
    return improved


def _decay(progress: Progress, config: TrainingConfig) -> None:
    if config.schedule == "cosine":
        return
    scheduled = config.decay_every_epoch_from
    due = (
        progress.epoch >= scheduled
        if scheduled is not None
        else progress.since_decay >= config.patience and not progress.averaged_steps
    )
    if due:
        progress.learning_rate = max(
            progress.learning_rate * config.decay, config.min_learning_rate
        )
        progress.since_decay = 0


def averaging_due(progress: Progress, config: TrainingConfig) -> bool:
    """NT-ASGD's trigger: no better figure for `average_after` epochs."""
    wanted = config.optimizer.average and not progress.averaged_steps
    return wanted and progress.since_best >= config.optimizer.average_after


def learning_rate_at(progress: Progress, config: TrainingConfig, steps_per_epoch: int = 1) -> float:
    """The step's learning rate: the schedule's, grown linearly during warm-up."""
    if progress.steps < config.warmup_steps:
        return progress.learning_rate * (progress.steps + 1) / config.warmup_steps
    if config.schedule == "plateau":
        return progress.learning_rate
    whole = config.epochs * steps_per_epoch - config.warmup_steps
    done = (progress.steps - config.warmup_steps) / max(whole, 1)
    return progress.learning_rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2
