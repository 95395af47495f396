"""A step of training on each backend, without waiting for its result.

    TensorFlow   one tf.function
    JAX          one jitted function of the trainer's state, whose memory each step takes over
    PyTorch      Keras's own `train_on_batch`

The loss comes back as a tensor that may still be in the making; whoever reads it waits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any

import keras
import numpy as np

from training.run.averaging import WeightAverage
from training.run.trainer import Trainer
from zoo.types import Tensor

Batch = Mapping[str, np.ndarray]


class Steps(ABC):
    """The step of a trainer.

    Args:
        trainer: built and compiled, its optimizer built too.
        average: of the weights, brought up to date by each step that asks for it.
    """

    def __init__(self, trainer: Trainer, average: WeightAverage | None = None) -> None:
        self.trainer, self.average = trainer, average

    @abstractmethod
    def __call__(self, batch: Mapping[str, Tensor], rate: float, averaged: int = 0) -> Tensor:
        """One step; returns the batch's mean loss.

        Args:
            batch: as `place` gives it.
            rate: learning rate.
            averaged: how many steps the average then holds, this one included; 0: it waits.
        """

    def place(self, batch: Batch) -> Mapping[str, Tensor]:
        """A batch where the step takes it from; other threads may call it."""
        return batch

    def retrace(self) -> None:
        """What the step computes has changed: compile it again."""
        self.sync()
        self.trainer.train_function = None

    def sync(self) -> None:  # noqa: B027 - most steps write the variables themselves
        """Make the variables hold what the steps have made of them."""


class KerasSteps(Steps):
    """By `train_on_batch`, on any backend."""

    def __call__(self, batch: Mapping[str, Tensor], rate: float, averaged: int = 0) -> Tensor:
        self.trainer.optimizer.learning_rate.assign(rate)
        self.trainer.reset_metrics()
        loss = self.trainer.train_on_batch(batch)
        if averaged and self.average is not None:
            self.average.update(averaged)
        return loss


class TensorFlowSteps(Steps):
    """By a graph that is traced with unknown lengths after the second shape."""

    def __init__(self, trainer: Trainer, average: WeightAverage | None = None) -> None:
        super().__init__(trainer, average)
        import tensorflow as tf

        self.tf = tf
        self.retrace()

    def retrace(self) -> None:
        self.function = self.tf.function(
            self._step,
            reduce_retracing=True,
            jit_compile=bool(self.trainer.jit_compile),
            autograph=False,
        )

    def __call__(self, batch: Mapping[str, Tensor], rate: float, averaged: int = 0) -> Tensor:
        count = np.float32(averaged) if averaged else None
        return self.function(dict(batch), np.float32(rate), count)

    def _step(self, batch: dict[str, Tensor], rate: Tensor, count: Tensor | None) -> Tensor:
        trainer = self.trainer
        trainer.optimizer.learning_rate.assign(rate)
        with self.tf.GradientTape() as tape:
            loss = trainer.training_loss(batch)
        weights = trainer.trainable_weights
        gradients = tape.gradient(loss, weights)
        trainer.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        if count is not None and self.average is not None:
            self.average.update(count)
        return loss


class JaxSteps(Steps):
    """By a jitted function; between two `sync` the state is here and not in the variables."""

    def __init__(self, trainer: Trainer, average: WeightAverage | None = None) -> None:
        super().__init__(trainer, average)
        import jax

        self.jax = jax
        self.state: list[list[Tensor]] | None = None
        self.retrace()

    def retrace(self) -> None:
        self.function = self.jax.jit(partial(self._step), donate_argnums=0)

    def place(self, batch: Batch) -> Mapping[str, Tensor]:
        placed: Mapping[str, Tensor] = self.jax.device_put(dict(batch))
        return placed

    def __call__(self, batch: Mapping[str, Tensor], rate: float, averaged: int = 0) -> Tensor:
        if self.state is None:
            self.state = [[v.value for v in group] for group in self._variables()]
        count = np.float32(averaged) if averaged else None
        loss, self.state = self.function(self.state, dict(batch), np.float32(rate), count)
        return loss

    def sync(self) -> None:
        if self.state is not None:
            for group, values in zip(self._variables(), self.state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
            self.state = None

    def _variables(self) -> list[list[keras.Variable]]:
        """What is trained, what else a step writes, and the optimizer's."""
        trainer = self.trainer
        groups = (
            trainer.trainable_variables,
            trainer.non_trainable_variables,
            trainer.optimizer.variables,
        )
        return [list(group) for group in groups]

    def _step(
        self,
        state: list[list[Tensor]],
        batch: dict[str, Tensor],
        rate: Tensor,
        count: Tensor | None,
    ) -> tuple[Tensor, list[list[Tensor]]]:
        trained, others, moments = state

        def loss_of(trained: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            return self._within([trained, others], self._loss, batch)

        gradient = self.jax.value_and_grad(loss_of, has_aux=True)
        (loss, others), gradients = gradient(trained)
        moments = [
            rate if variable is self.trainer.optimizer.learning_rate else value
            for variable, value in zip(self._variables()[2], moments, strict=True)
        ]
        trained, moments = self.trainer.optimizer.stateless_apply(moments, gradients, trained)
        if count is not None and self.average is not None:
            _, others = self._within([trained, others], self.average.update, count)
        return loss, [trained, others, moments]

    def _loss(self, batch: dict[str, Tensor]) -> Tensor:
        return self.trainer.training_loss(batch)

    def _within(
        self, values: list[list[Tensor]], function: Any, argument: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """`function(argument)` with these values in the variables; what it wrote to the others."""
        variables = self._variables()[:2]
        pairs = [
            pair
            for group, held in zip(variables, values, strict=True)
            for pair in zip(group, held, strict=True)
        ]
        with keras.StatelessScope(state_mapping=pairs, collect_losses=True) as scope:
            result = function(argument)
        written = [scope.get_current_value(v) for v in variables[1]]
        kept = zip(written, values[1], strict=True)
        return result, [old if new is None else new for new, old in kept]


def make_steps(trainer: Trainer, average: WeightAverage | None = None) -> Steps:
    """The step on the backend in use."""
    kinds: dict[str, type[Steps]] = {"tensorflow": TensorFlowSteps, "jax": JaxSteps}
    return kinds.get(keras.backend.backend(), KerasSteps)(trainer, average)
