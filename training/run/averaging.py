"""The average of the weights over the steps of averaged SGD (NT-ASGD, Merity et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


class WeightAverage:
    """A running mean of a trainer's trained weights, kept in variables that checkpoints save."""

    def __init__(self, trainer: keras.Model) -> None:
        self.weights = list(trainer.trained.trainable_weights)
        self.means = [
            trainer.add_weight(
                shape=w.shape,
                dtype=w.dtype,
                trainable=False,
                initializer="zeros",
                name=f"average_{i}",
            )
            for i, w in enumerate(self.weights)
        ]

    def update(self, count: int) -> None:
        """Take in the current weights as number `count` (from 1)."""
        for mean, weight in zip(self.means, self.weights, strict=True):
            mean.assign(mean + (weight - mean) / count)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model with its averaged weights, inside the block."""
        kept = [keras.ops.copy(w.value) for w in self.weights]
        try:
            for weight, mean in zip(self.weights, self.means, strict=True):
                weight.assign(mean.value)
            yield
        finally:
            for weight, value in zip(self.weights, kept, strict=True):
                weight.assign(value)
