"""One optimisation step for any task: loss, gradients, clipping (Algorithm 1), update.

The step is a Keras model's own train step around the task's loss, so it runs on every Keras
backend; the state that a stream carries from batch to batch lives in variables of the trainer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np
from keras import ops

from training.run.optimizers import SGD, AdamW, OnePassAdam
from zoo.errors import ZooError

if TYPE_CHECKING:
    from training.config import OptimizerConfig, TrainingConfig

Tensors = Mapping[str, Any]


class LossFunction(Protocol):
    """What a task computes for a batch."""

    def __call__(
        self, batch: Tensors, carried: dict[str, Any] | None, training: bool
    ) -> tuple[Any, Any, dict[str, Any] | None]:
        """Summed loss (scalar), summed weight (scalar) and the state to carry on."""


class Trainer(keras.Model):
    """A model and its task's loss as something that `train_on_batch` can step.

    Args:
        model: the Keras model whose weights are trained.
        loss: the task's loss function.
        carried: initial values of the state carried between batches, or None.
        softmax: the layer that the loss draws samples with, if any: its seed is then part of the
            trainer's state.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: LossFunction,
        carried: dict[str, np.ndarray] | None = None,
        softmax: keras.layers.Layer | None = None,
    ) -> None:
        super().__init__(name="trainer", dtype="float32")  # the model has its own precision
        self.trained = model
        self.softmax = softmax
        self.loss_function = loss
        self.initial = carried
        self.state_variables = {
            name: self.add_weight(
                shape=value.shape,
                dtype="float32",  # a checkpoint holds no bfloat16
                trainable=False,
                name=name,
                initializer="zeros",
            )
            for name, value in (carried or {}).items()
        }
        self.built = True
        self.reset_carried()

    def call(self, batch: Tensors, training: bool = False) -> Any:
        """Mean loss of a batch; the carried state moves on."""
        carried = {name: variable.value for name, variable in self.state_variables.items()}
        total, weight, new = self.loss_function(batch, carried or None, training)
        for name, variable in self.state_variables.items():
            variable.assign(ops.cast(ops.stop_gradient((new or carried)[name]), variable.dtype))
        return total / ops.maximum(weight, 1.0)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """The call's value is the loss already; Keras adds the layers' own penalties."""
        return ops.sum(ops.stack([y_pred, *self.losses])) if self.losses else y_pred

    def training_loss(self, batch: Tensors) -> Any:
        """What a step lowers."""
        return self.compute_loss(y_pred=self(batch, training=True))

    def reset_carried(self) -> None:
        """Back to the start of the stream."""
        for name, value in (self.initial or {}).items():
            self.state_variables[name].assign(value)


def make_optimizer(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """The optimizer of a config, with gradient clipping by global norm (Algorithm 1) or by value.

    Raises:
        ZooError: both kinds of clipping are asked for.
    """
    common: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "global_clipnorm": config.clip_norm,
        "clipvalue": config.clip_value,
    }
    if config.clip_norm is not None and config.clip_value is not None:
        raise ZooError("optimizer: set clip_norm or clip_value, not both")
    if config.name == "adamw":
        return AdamW(weight_decay=config.weight_decay, **common)
    common["weight_decay"] = config.weight_decay or None
    if config.name == "sgd":
        return SGD(momentum=config.momentum, **common)
    return OnePassAdam(**common)


def compile_trainer(trainer: Trainer, config: TrainingConfig) -> None:
    """Give the trainer its optimizer; gradients are clipped before the update."""
    trainer.compile(
        optimizer=make_optimizer(config.optimizer), loss=None, jit_compile=config.jit_compile
    )
