"""`zoo train`: one loop for every task, that can be killed at any moment and resumed exactly.

An epoch's batches, its dropout and its schedule follow from the config, the seed and the last
checkpoint alone, and a checkpoint is written after every epoch. The best weights so far are a
preset directory from the first epoch on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from training.config import RunConfig
from training.diagnostics.flow import EXPLODING_CURE, GradientFlow, longest_rows, refuse_if_exploded
from training.run.averaging import WeightAverage
from training.run.checkpoint import load_checkpoint, save_checkpoint
from training.run.epoch_log import RunLog
from training.run.guards import held, told_of_full_disks
from training.run.schedule import RunState, after_epoch, averaging_due, learning_rate_at
from training.run.trainer import Trainer, compile_trainer
from training.tasks.counts import train_by_counting
from training.tasks.progress_bar import tracked
from training.tasks.registry import make_task
from zoo.errors import ZooError
from zoo.models.keras_model import KerasModel
from zoo.models.registry import model_class

DATA = "data"  # in a checkpoint: the fingerprint of what the run learns from


class Run:
    """One training run in its directories.

    Args:
        config: what to train.
        data_dir: the corpora's folder.
        out: the preset directory that the run writes; its own state goes beside it, in
            `OUT.training/` (checkpoint, log.csv, tensorboard).
    """

    def __init__(self, config: RunConfig, data_dir: str | os.PathLike[str] | None, out: Path):
        self.config = config
        self.out = out
        self.directory = directory_of(out)
        self.task = make_task(config, data_dir)
        task = self.task
        self.trainer = Trainer(task.model, task.loss, task.carried(), task.softmax)
        compile_trainer(self.trainer, config.training)
        self.trainer.optimizer.build(self.trainer.trainable_variables)
        averaging = config.training.optimizer.average
        self.average = WeightAverage(self.trainer) if averaging else None
        self.state = RunState(learning_rate=config.training.optimizer.learning_rate)
        self.flow: GradientFlow | None = None

    @property
    def checkpoint(self) -> Path:
        return self.directory / "checkpoint.npz"

    def resume(self) -> None:
        """Go on from the last checkpoint, or from the start where there is none yet.

        Raises:
            ZooError: the checkpoint is damaged, or of another model or other data.
        """
        if not self.checkpoint.is_file():
            return
        state = load_checkpoint(self.checkpoint, self.trainer)
        data = state.pop(DATA, self.task.fingerprint)  # checkpoints had none before
        if data != self.task.fingerprint:
            raise ZooError(
                f"{self.config.data.name} has changed since {self.checkpoint} was written: bring "
                "the old data back, or start again with another --out"
            )
        try:
            self.state = RunState(**state)
        except TypeError as error:
            raise ZooError(f"{self.checkpoint} is of another version ({error})") from None

    def epochs(self) -> Iterator[dict[str, Any]]:
        """All remaining epochs, one row each."""
        self.directory.mkdir(parents=True, exist_ok=True)
        log = RunLog(self.directory, self.state.epoch)
        self.flow = self._gradient_flow(log)
        while self.state.epoch < self.config.training.epochs and not self.state.stopped:
            row = self.epoch()
            log.add(row)  # first: a resumed run drops rows past its checkpoint, never lacks one
            state = {**self.state.as_dict(), DATA: self.task.fingerprint}
            save_checkpoint(self.checkpoint, self.trainer, state)
            yield row

    def epoch(self) -> dict[str, Any]:
        """One pass over the training data, a validation, the schedule's decisions."""
        started = time.perf_counter()
        loss, tokens = self._steps()
        seconds = time.perf_counter() - started
        with self._evaluated_weights():
            figures = self.task.evaluate()
            figure = figures[self.task.figure]
            rate = float(self.trainer.optimizer.learning_rate)
            goal = figure if self.task.lower_is_better else -figure
            if after_epoch(self.state, goal, self.config.training):
                self._save_preset(figures)
        if averaging_due(self.state, self.config.training):
            self.state.averaged_steps = 1
        return {
            "epoch": self.state.epoch,
            "loss": round(loss, 5),
            f"valid_{self.task.figure}": round(figure, 4),
            "learning_rate": rate,
            "tokens_per_second": round(tokens / seconds, 1),
            "seconds": round(seconds, 1),
        }

    def _steps(self) -> tuple[float, int]:
        """The epoch's steps; returns mean loss a token and the tokens seen."""
        self.trainer.reset_carried()
        epoch, total, tokens = self.state.epoch, 0.0, 0
        if self.task.softmax.switched(epoch + 1):
            self.trainer.train_function = None  # Keras then compiles the step again
        batches = tracked(
            self.task.batches(epoch), f"epoch {epoch + 1}", self.task.steps_per_epoch()
        )
        for batch in batches:
            counted = int(batch["weights"].sum())
            loss = self._step(batch)
            total, tokens = total + loss * counted, tokens + counted
        return total / max(tokens, 1), tokens

    def _step(self, batch: dict[str, np.ndarray]) -> float:
        rate = learning_rate_at(self.state, self.config.training, self.task.steps_per_epoch())
        self.trainer.optimizer.learning_rate.assign(rate * self.task.rate_share(batch))
        self.trainer.reset_metrics()
        loss = float(self.trainer.train_on_batch(batch))
        remedy = f"{EXPLODING_CURE}, then --resume from the last good checkpoint {self.checkpoint}"
        refuse_if_exploded(loss, self.state.steps + 1, remedy)
        self.state.steps += 1
        every = self.config.training.gradient_flow_every
        if self.flow is not None and self.state.steps % every == 0:
            self.flow.check(self.state.steps)
        if self.average is not None and self.state.averaged_steps:
            self.average.update(self.state.averaged_steps)
            self.state.averaged_steps += 1
        return loss

    def _gradient_flow(self, log: RunLog) -> GradientFlow | None:
        """Gradients watched on one training batch, the same for the whole run."""
        every = self.config.training.gradient_flow_every
        if not every:
            return None
        probe = longest_rows(self.task.batches(0))
        flow = GradientFlow(lambda: self.task.loss(probe, None, False), log.writer, every)
        flow.set_model(self.trainer)
        return flow

    def _evaluated_weights(self) -> Any:
        averaging = self.average is not None and self.state.averaged_steps > 1
        return self.average.applied() if averaging and self.average else nullcontext()

    def _save_preset(self, figures: dict[str, float]) -> None:
        metrics = {f"valid_{name}": round(value, 4) for name, value in figures.items()}
        self.task.model.save_to_preset(
            self.out,
            info={
                "description": self.config.description,
                "data": self.config.data.name,
                "licence": self.task.licence,
                "metrics": metrics,
                "train_command": f"zoo train {self.config.name}",
            },
        )


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
    """
    target = Path(out) if out else Path("runs") / config.name
    directory = directory_of(target)
    with told_of_full_disks(directory), held(directory):
        if issubclass(model_class(config.model.class_name), KerasModel):
            yield from _train(config, data_dir, target, resume)
        else:
            yield from train_by_counting(config, data_dir, target)


def directory_of(out: Path) -> Path:
    """Where the state of a run goes that writes the preset `out`."""
    return out.with_name(out.name + ".training")


def _train(
    config: RunConfig, data_dir: str | os.PathLike[str] | None, target: Path, resume: bool
) -> Iterator[dict[str, Any]]:
    """The epochs of a new or a resumed run."""
    run = Run(config, data_dir, target)
    if resume:
        run.resume()
    elif run.checkpoint.is_file():
        raise ZooError(
            f"{run.directory} holds an earlier run; give --resume, another --out, or delete it"
        )
    yield from run.epochs()
