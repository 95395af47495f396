"""Figure 5 of the notes for real: the error surface of a one-unit recurrent network over (w, b).

    h_t = σ(w h_{t−1} + b),  h_0 = 1/2,  E(w, b) = (h_50 − 0.7)²

(Pascanu, Mikolov and Bengio 2013, figure 6.) Where the network's one attractor splits in two there
is a wall: a gradient there is thousands of times the usual one. Plain gradient descent that
touches the wall is thrown far away; with Algorithm 1 it takes a step of bounded length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

STEPS = 50
START = 0.5
TARGET = 0.7


def hidden_states(w: np.ndarray, b: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """h_0 to h_T, `[steps + 1, ...]` for any shape of w and b."""
    states = [np.full(np.broadcast(w, b).shape, START)]
    for _ in range(steps):
        states.append(_sigmoid(w * states[-1] + b))
    return np.stack(states)


def error(w: np.ndarray, b: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """E(w, b)."""
    return (hidden_states(w, b, steps)[-1] - TARGET) ** 2


def error_gradient(w: float, b: float, steps: int = STEPS) -> tuple[float, float]:
    """(∂E/∂w, ∂E/∂b) by back-propagation through time [11] to [14]."""
    states = hidden_states(np.array(w), np.array(b), steps)
    d_h, d_w, d_b = float(2 * (states[-1] - TARGET)), 0.0, 0.0
    for t in range(steps, 0, -1):
        d_a = d_h * float(states[t] * (1 - states[t]))
        d_w += d_a * float(states[t - 1])
        d_b += d_a
        d_h = d_a * w
    return d_w, d_b


@dataclass(frozen=True)
class Descent:
    """A trajectory: points `[steps + 1, 2]`, the error and the gradient norm at each."""

    points: np.ndarray
    errors: np.ndarray
    norms: np.ndarray
    threshold: float | None

    @property
    def longest_step(self) -> float:
        """The farthest that one update moved."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).max())

    @property
    def clipped(self) -> int:
        """Updates at which Algorithm 1 acted."""
        return 0 if self.threshold is None else int((self.norms[:-1] >= self.threshold).sum())


def descend(
    start: tuple[float, float],
    learning_rate: float,
    updates: int,
    threshold: float | None = None,
) -> Descent:
    """Gradient descent on E from `start`; `threshold` is Algorithm 1's, None: no clipping."""
    point = np.array(start, dtype=float)
    points, norms = [point.copy()], []
    for _ in range(updates):
        gradient = np.array(error_gradient(*point))
        norm = float(np.linalg.norm(gradient))
        norms.append(norm)
        if threshold is not None and norm >= threshold:
            gradient *= threshold / norm
        point = point - learning_rate * gradient
        points.append(point.copy())
    norms.append(math.hypot(*error_gradient(*point)))
    path = np.array(points)
    return Descent(path, error(path[:, 0], path[:, 1]), np.array(norms), threshold)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))  # no overflow at either end
