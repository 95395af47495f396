"""When to lower the learning rate, when to start averaging, when to stop: plain numbers, no hooks.

The state is a small dataclass that goes into every checkpoint, so a resumed run decides as an
uninterrupted one.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.config import TrainingConfig


@dataclass
class RunState:
    """Where a run stands."""

    learning_rate: float
    epoch: int = 0  # epochs done
    steps: int = 0
    epoch_steps: int = 0  # of the epoch that is under way, as the next three
    epoch_loss: float = 0.0  # nats
    epoch_tokens: int = 0
    epoch_seconds: float = 0.0
    best: float | None = None  # best validation figure so far, lower is better
    best_epoch: int = 0
    since_best: int = 0
    since_decay: int = 0
    averaged_steps: int = 0  # 0: averaging has not started
    stopped: bool = False

    @property
    def mean_loss(self) -> float:
        """Nats a token, so far in this epoch."""
        return self.epoch_loss / max(self.epoch_tokens, 1)

    def next_epoch(self) -> None:
        """One more is done; what is counted of each starts anew."""
        self.epoch += 1
        self.epoch_steps, self.epoch_tokens = 0, 0
        self.epoch_loss, self.epoch_seconds = 0.0, 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def after_epoch(state: RunState, figure: float, config: TrainingConfig) -> bool:
    """Take in an epoch's validation figure (lower is better); returns whether it is the best."""
    state.next_epoch()
    improved = state.best is None or figure < state.best
    if improved:
        state.best, state.best_epoch, state.since_best = figure, state.epoch, 0
    else:
        state.since_best += 1
    state.since_decay = 0 if improved else state.since_decay + 1
    _decay(state, config)
    start_averaging = config.optimizer.average and not state.averaged_steps
    if state.since_best >= config.stop_after and not start_averaging:
        state.stopped = True
    return improved


def _decay(state: RunState, config: TrainingConfig) -> None:
    if config.schedule == "cosine":
        return
    scheduled = config.decay_every_epoch_from
    due = (
        state.epoch >= scheduled
        if scheduled is not None
        else state.since_decay >= config.patience and not state.averaged_steps
    )
    if due:
        state.learning_rate = max(state.learning_rate * config.decay, config.min_learning_rate)
        state.since_decay = 0


def averaging_due(state: RunState, config: TrainingConfig) -> bool:
    """The epoch before `average_from`; NT-ASGD: no better figure for `average_after` epochs."""
    wanted = config.optimizer.average and not state.averaged_steps
    if config.optimizer.average_from is not None:
        return wanted and state.epoch + 1 >= config.optimizer.average_from
    return wanted and state.since_best >= config.optimizer.average_after


def learning_rate_at(state: RunState, config: TrainingConfig, steps_per_epoch: int = 1) -> float:
    """The step's learning rate: the schedule's, grown linearly during warm-up."""
    if state.steps < config.warmup_steps:
        return state.learning_rate * (state.steps + 1) / config.warmup_steps
    if config.schedule == "plateau":
        return state.learning_rate
    whole = config.epochs * steps_per_epoch - config.warmup_steps
    done = (state.steps - config.warmup_steps) / max(whole, 1)
    return state.learning_rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2
