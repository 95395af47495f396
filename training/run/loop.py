"""One run's epochs: steps that wait for nothing, validations, checkpoints at any moment.

An epoch's batches, its dropout and its schedule follow from the config, the seed and the last
checkpoint alone. A checkpoint is written after every epoch, every `checkpoint_minutes`, and when
the process is told to stop; the run that goes on from one, in the middle of an epoch too, ends in
the weights of one that was left alone. The best weights so far are a preset directory from the
first epoch on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.diagnostics.flow import EXPLODING_CURE, GradientFlow, longest_rows, refuse_if_exploded
from training.run.averaging import WeightAverage
from training.run.checkpoint import load_checkpoint, save_checkpoint
from training.run.epoch_log import RunLog
from training.run.guards import Stopped, stop_requests
from training.run.prefetch import prefetched
from training.run.schedule import RunState, after_epoch, averaging_due, learning_rate_at
from training.run.steps import make_steps
from training.run.trainer import Trainer, compile_trainer
from training.tasks.progress_bar import tracked
from training.tasks.task import Batch, Task
from zoo.errors import ZooError
from zoo.types import Tensor

if TYPE_CHECKING:
    from training.config import RunConfig

DATA = "data"  # in a checkpoint: the fingerprint of what the run learns from


class Run:
    """One training run in its directories.

    Args:
        config: what to train.
        task: the config's model, batches and evaluation.
        out: the preset directory that the run writes; its own state goes beside it, in
            `OUT.training/` (checkpoint, log.csv, tensorboard).
    """

    def __init__(self, config: RunConfig, task: Task, out: Path):
        self.config, self.task, self.out = config, task, out
        self.directory = directory_of(out)
        self.trainer = Trainer(task.model, task.loss, task.carried(), task.softmax)
        compile_trainer(self.trainer, config.training)
        self.trainer.optimizer.build(self.trainer.trainable_variables)
        averaging = config.training.optimizer.average
        self.average = WeightAverage(self.trainer) if averaging else None
        self.steps = make_steps(self.trainer, self.average)
        self.state = RunState(learning_rate=config.training.optimizer.learning_rate)
        self.flow: GradientFlow | None = None
        self.pending: list[tuple[int, Tensor]] = []  # tokens and loss of steps not looked at yet
        self.saved_at = self.timed_from = time.monotonic()
        self.stop_at = math.inf  # of time.monotonic(): then it ends as if told to stop

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

    def save(self) -> None:
        """Write the checkpoint of this moment.

        Raises:
            ZooError: a loss since the last look is no number; the old checkpoint stays.
        """
        self.settle()
        self.steps.sync()
        self.directory.mkdir(parents=True, exist_ok=True)
        state = {**self.state.as_dict(), DATA: self.task.fingerprint}
        save_checkpoint(self.checkpoint, self.trainer, state)
        self.saved_at = time.monotonic()

    def epochs(self) -> Iterator[dict[str, Any]]:
        """All remaining epochs, one row each.

        Raises:
            Stopped: the process was told to stop, and the checkpoint is written.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        log = RunLog(self.directory, self.state.epoch)
        self.flow = self._gradient_flow(log)
        while self.state.epoch < self.config.training.epochs and not self.state.stopped:
            row = self.epoch()
            log.add(row)  # first: a resumed run drops rows past its checkpoint, never lacks one
            self.save()
            yield row

    def epoch(self) -> dict[str, Any]:
        """What is left of a pass over the training data, a validation, the schedule's decisions."""
        state = self.state
        self.pass_over_data()
        loss, tokens, seconds = state.mean_loss, state.epoch_tokens, max(state.epoch_seconds, 1e-9)
        with self._evaluated_weights():
            figures = self.task.evaluate()
            figure = figures[self.task.figure]
            rate = float(f"{float(self.trainer.optimizer.learning_rate):.6g}")  # of a float32
            goal = figure if self.task.lower_is_better else -figure
            if after_epoch(state, goal, self.config.training):
                self._save_preset(figures)
        if averaging_due(state, self.config.training):
            state.averaged_steps = 1
        return {
            "epoch": state.epoch,
            "loss": round(loss, 5),
            f"valid_{self.task.figure}": round(figure, 4),
            "learning_rate": rate,
            "tokens_per_second": round(tokens / seconds, 1),
            "seconds": round(seconds, 1),
        }

    def pass_over_data(self) -> None:
        """The epoch's steps from where the run stands."""
        done = self.state.epoch_steps
        if not done:
            self.trainer.reset_carried()
        if self.task.softmax.switched(self.state.epoch + 1):
            self.steps.retrace()
        batches = self.task.batches_from(self.state.epoch, done)
        self.timed_from = time.monotonic()
        name, left = f"epoch {self.state.epoch + 1}", self.task.steps_per_epoch() - done
        with stop_requests() as asked:
            placed = prefetched(batches, self._placed)
            for counted, batch in tracked(placed, name, left, self._figures_so_far):
                self.step(batch, counted)
                if asked or time.monotonic() >= self.stop_at:
                    self.save()
                    raise Stopped(self.state.steps, self.checkpoint)
        self.save()  # so that an end during the validation loses nothing

    def _figures_so_far(self) -> str:
        """The epoch's figures for the bar, as far as losses have been looked at."""
        state = self.state
        if not state.epoch_tokens:
            return ""
        return figures_so_far(state.mean_loss, state.epoch_tokens / max(state.epoch_seconds, 1e-9))

    def _placed(self, batch: Batch) -> tuple[int, Mapping[str, Tensor]]:
        """How many tokens a batch counts, and the batch where the step takes it from."""
        return int(batch["weights"].sum()), self.steps.place(batch)

    def step(self, batch: Mapping[str, Tensor], counted: int = 0) -> None:
        """One step, and what is due after it; its loss is looked at later, with others."""
        training, state = self.config.training, self.state
        rate = learning_rate_at(state, training, self.task.steps_per_epoch())
        rate *= self.task.rate_share(batch)
        self.pending.append((counted, self.steps(batch, rate, state.averaged_steps)))
        state.steps += 1
        state.epoch_steps += 1
        state.averaged_steps += bool(state.averaged_steps)
        if len(self.pending) >= training.loss_every:
            self.settle()
        every = training.gradient_flow_every
        if self.flow is not None and state.steps % every == 0:
            self.settle()
            self.steps.sync()
            self.flow.check(state.steps)
        if time.monotonic() - self.saved_at >= training.checkpoint_minutes * 60:
            self.save()

    def settle(self) -> None:
        """Wait for the steps under way and look at their losses.

        Raises:
            ZooError: one of them is no number; the last checkpoint is from before.
        """
        remedy = f"{EXPLODING_CURE}, then --resume from the last good checkpoint {self.checkpoint}"
        first = self.state.steps - len(self.pending) + 1
        for number, (counted, loss) in enumerate(self.pending, first):
            value = float(np.asarray(loss))
            refuse_if_exploded(value, number, remedy)
            self.state.epoch_loss += value * counted
            self.state.epoch_tokens += counted
        self.pending.clear()
        now = time.monotonic()
        self.state.epoch_seconds += now - self.timed_from
        self.timed_from = now

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
        start = self.config.start
        going_on = "" if start is None else f" --from {start}"
        metrics = {f"valid_{name}": round(value, 4) for name, value in figures.items()}
        self.task.model.save_to_preset(
            self.out,
            info={
                "description": self.config.description,
                "data": self.config.data.name,
                "licence": self.task.licence,
                "metrics": metrics,
                "train_command": f"zoo train {self.config.name}{going_on}",
            },
        )


def figures_so_far(loss: float, tokens_per_second: float) -> str:
    """An epoch's loss (nats a token), its perplexity and speed.

    Example:
        >>> figures_so_far(3.0, 12345.6)
        'loss 3.000  perplexity 20.1  12,346 tokens/s'
    """
    perplexity = f"{math.exp(loss):.1f}" if loss < 50 else "beyond 10^21"
    return f"loss {loss:.3f}  perplexity {perplexity}  {tokens_per_second:,.0f} tokens/s"


def directory_of(out: Path) -> Path:
    """Where the state of a run goes that writes the preset `out`."""
    return out.with_name(out.name + ".training")
