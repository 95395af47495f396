"""Gradients held to the slopes of a function, measured by central differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def moved(model: Any, direction: list[np.ndarray], step: float) -> Iterator[None]:
    """The model with its weights a step further along a direction."""
    before = [np.asarray(weight) for weight in model.trainable_weights]
    for weight, value, d in zip(model.trainable_weights, before, direction, strict=True):
        weight.assign(value + step * d)
    try:
        yield
    finally:
        for weight, value in zip(model.trainable_weights, before, strict=True):
            weight.assign(value)


def slope(function: Callable[[Any], float], model: Any, direction: list, step: float) -> float:
    """The central difference of a loss along a direction."""
    with moved(model, direction, step):
        after = float(function(model))
    with moved(model, direction, -step):
        return (after - float(function(model))) / (2 * step)


def unit(direction: list[np.ndarray]) -> list[np.ndarray]:
    """A direction of length 1, so that one step suits models of any size."""
    length = math.sqrt(sum(float((d**2).sum()) for d in direction))
    return [d / length for d in direction]


def directions(model: Any) -> Iterator[list[np.ndarray]]:
    """One random direction in each weight alone."""
    rng = np.random.default_rng(11)
    for chosen in model.trainable_weights:
        yield unit(
            [
                rng.normal(size=w.shape) if w is chosen else np.zeros(w.shape)
                for w in model.trainable_weights
            ]
        )


def assert_slope(
    function: Callable[[Any], float],
    model: Any,
    gradients: list[np.ndarray],
    direction: list[np.ndarray],
    steps: tuple[float, ...],
) -> None:
    """The model's gradient along a direction is a function's slope there.

    The steps are tried one after another: a long one may cross a kink of ReLU, a short one drowns
    in the rounding of float32.
    """
    got = sum(float((g * d).sum()) for g, d in zip(gradients, direction, strict=True))
    size = math.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in gradients))
    found = []
    for step in steps:
        found.append(slope(function, model, direction, step))
        if abs(got - found[-1]) < 1e-3 * max(1.0, size):
            return
    raise AssertionError(f"the gradient says {got}, steps of {steps} say {found}")
