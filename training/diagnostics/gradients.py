"""How far back a recurrent layer's gradient reaches: equations [10] to [16] of the notes, measured.

    ∂E/∂W     = Σ_t ∂E_t/∂W                                                            [10]
    ∂E_t/∂W   = Σ_k ∂E_t/∂h_t · ∂h_t/∂h_k · ∂h_k/∂W                                    [11][14]
    ∂h_t/∂h_k = Π_{j=k+1..t} ∂h_j/∂h_{j−1}                                             [12]
    ‖∂h_j/∂h_{j−1}‖ ≤ β_W β_h                                                          [15]
    ‖∂h_t/∂h_k‖     ≤ (β_W β_h)^{t−k}                                                  [16]

β_W is the largest singular value of the recurrent matrix, β_h the largest slope of the activation.
Cells with more than h (the LSTM's c) carry their past in all of it, so the Jacobians here are of
the whole state s = (h, c): ∂s_t/∂s_k, whose upper left block is ∂h_t/∂h_k with c_k held. Every
derivative is exact: vector-Jacobian products of the cell's own derivative, batched over rows.

Axes: time first, then batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.layers import Recurrent
from zoo.layers.recurrence.cell import Cell, Weights
from zoo.layers.recurrence.gradient import (
    forward,
    make_step_back,
    previous_states,
    unprojected,
)
from zoo.types import State, Tensor

SLOPES = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0, "linear": 1.0, "hard_sigmoid": 1 / 6}
FADED = 0.01  # a norm below this share of distance 0 counts as forgotten


@dataclass(frozen=True)
class Trajectory:
    """What a layer did on a probe: all that its derivative needs, `[time, batch, .]` each."""

    cell: Cell
    weights: Weights
    previous: State  # s_{t-1}
    current: State  # s_t, with h_t before the projection where there is one
    saved: State

    @property
    def sizes(self) -> list[int]:
        return [s.shape[-1] for s in self.previous]

    @property
    def steps(self) -> int:
        return int(self.previous[0].shape[0])

    @property
    def rows(self) -> int:
        return int(self.previous[0].shape[1])

    def step_back(self, t: int, d_state: State, times: int) -> tuple[State, Tensor]:
        """∂/∂s_t -> (∂/∂s_{t-1}, ∂/∂a_t) for `times` cotangents a row, `[times * batch, .]`."""
        at_t = [tuple(_repeated(x[t], times) for x in part) for part in self._parts()]
        back = make_step_back(self.cell, self.weights, masked=False)
        d_previous, (d_projected, d_product, _) = back(d_state, (*at_t, 0.0, ()))
        return d_previous, d_product[0] if d_product else d_projected

    def _parts(self) -> tuple[State, State, State]:
        return self.saved, self.previous, self.current


def trajectory(
    layer: Recurrent, inputs: Tensor, initial_state: Sequence[Tensor] | None = None
) -> Trajectory:
    """Run a layer over `inputs` `[batch, time, features]`, keeping what derivatives need.

    Raises:
        ZooError: the layer's activations have no derivative by hand, or it is not built.
    """
    cell = layer.equations()
    if cell.step_gradient is None:
        raise ZooError(f"{layer.name}: no derivative by hand for these activations or this form")
    if not layer.built:
        raise ZooError(f"{layer.name} has no weights yet: call its model once before")
    steps = ops.transpose(ops.cast(inputs, layer.compute_dtype), (1, 0, 2))
    steps = ops.flip(steps, axis=0) if layer.go_backwards else steps  # [time, batch, features]
    initial = tuple(initial_state or layer.get_initial_state(steps.shape[1]))
    weights = layer.loop_weights()
    _, run = forward(cell, weights, layer.project_inputs(steps), initial, None)
    previous, current = previous_states(initial, run), unprojected(run)
    return Trajectory(cell, weights, previous, current, run.saved)


def step_jacobians(path: Trajectory) -> np.ndarray:
    """∂s_t/∂s_{t−1} of every step: `[time, batch, size, size]` float64, row: entry of s_t."""
    size = sum(path.sizes)
    unit = np.repeat(np.eye(size, dtype="float32"), path.rows, axis=0)  # [size * batch, size]
    cotangents = _split(unit, path.sizes)
    jacobians = []
    for t in range(path.steps):
        d_previous, _ = path.step_back(t, cotangents, size)
        rows = np.concatenate([_numpy(d) for d in d_previous], axis=1)
        jacobians.append(rows.reshape(size, path.rows, size).transpose(1, 0, 2))
    return np.stack(jacobians).astype("float64")


def jacobian_norms(
    jacobians: np.ndarray, ends: Sequence[int] | None = None, hidden: int | None = None
) -> np.ndarray:
    """‖∂s_t/∂s_k‖ (largest singular value) for every k <= t.

    Args:
        jacobians: as `step_jacobians` returns them; index t is the step from t−1 to t.
        ends: the t to look back from; all of them unless given.
        hidden: units of h: measure the block ∂h_t/∂h_k instead of the whole state.

    Returns:
        `[batch, len(ends), time]`, NaN where k > t.
    """
    steps, rows, size, _ = jacobians.shape
    chosen = list(range(steps)) if ends is None else list(ends)
    norms = np.full((rows, len(chosen), steps), np.nan)
    for i, t in enumerate(chosen):
        product = np.broadcast_to(np.eye(size), (rows, size, size))
        for k in range(t, -1, -1):
            norms[:, i, k] = _spectral_norm(product[:, :hidden, :hidden])
            product = product @ jacobians[k]  # s_t from s_{k-1}
    return norms


def by_distance(norms: np.ndarray, ends: Sequence[int] | None = None) -> np.ndarray:
    """Mean norm at each distance t−k: `[time]`, over rows and ends."""
    steps = norms.shape[2]
    chosen = range(steps) if ends is None else ends
    sums, counts = np.zeros(steps), np.zeros(steps)
    for i, t in enumerate(chosen):
        reached = norms[:, i, : t + 1][:, ::-1]  # distance 0 first
        sums[: t + 1] += reached.sum(axis=0)
        counts[: t + 1] += len(reached)
    return sums[counts > 0] / counts[counts > 0]


def contributions(
    path: Trajectory, d_outputs: Tensor, sources: Sequence[int] | None = None
) -> np.ndarray:
    """The share of each distance d = t−k in ∂E/∂U: the terms of [14] summed over t, `[time, ...]`.

    Args:
        path: the layer's trajectory.
        d_outputs: ∂E/∂h_t from outside the recurrence, `[time, batch, outputs]`.
        sources: the t whose E_t counts; all unless given.

    Returns:
        `[time, outputs, gates * units]`, a matrix a distance; their sum is ∂E/∂U.
    """
    d_outputs = _numpy(d_outputs)
    wanted = set(range(path.steps) if sources is None else sources)
    total = np.zeros((path.steps, *path.weights.kernel.shape))
    pending: list[int] = []  # the t whose gradient is on its way back, newest first
    stack = tuple(np.zeros((0, size), "float32") for size in path.sizes)
    for k in range(path.steps - 1, -1, -1):
        if k in wanted:
            entering = (
                d_outputs[k],
                *(np.zeros((path.rows, n), "float32") for n in path.sizes[1:]),
            )
            stack = tuple(np.concatenate(pair) for pair in zip(entering, stack, strict=True))
            pending.insert(0, k)
        if pending:
            d_previous, d_a = path.step_back(k, stack, len(pending))
            stack = tuple(map(_numpy, d_previous))
            d_a = _numpy(d_a).reshape(len(pending), path.rows, -1)
            total[[t - k for t in pending]] += _numpy(path.previous[0][k]).T @ d_a
    return total


def norms_from_last(path: Trajectory, d_last: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """One sweep from the last step alone, cheap enough to be made during training.

    Args:
        path: the layer's trajectory.
        d_last: ∂E/∂h_T, `[batch, outputs]`.

    Returns:
        At each distance from T: ‖∂E/∂s_k‖, and ‖∂E/∂s_k · ∂s_k/∂U‖, the terms of [14]; `[time]`.
    """
    d_state = (d_last, *(np.zeros((path.rows, n), "float32") for n in path.sizes[1:]))
    reach, terms = [], []
    for k in range(path.steps - 1, -1, -1):
        reach.append(np.sqrt(sum(float((_numpy(d) ** 2).sum()) for d in d_state)))
        d_state, d_a = path.step_back(k, d_state, 1)
        h, d_a = _numpy(path.previous[0][k]), _numpy(d_a)
        # ‖Σ_b h_b a_bᵀ‖² = Σ_bc (h_b·h_c)(a_b·a_c): no matrix of U's size is formed
        terms.append(np.sqrt(max(float(((h @ h.T) * (d_a @ d_a.T)).sum()), 0.0)))
    return np.array(reach), np.array(terms)


def matrix_norms(matrices: np.ndarray) -> np.ndarray:
    """Frobenius norm of each matrix of `[distance, rows, columns]`."""
    return np.sqrt((matrices**2).sum(axis=(1, 2)))


def bounds(layer: Recurrent, jacobians: np.ndarray) -> tuple[np.ndarray, float]:
    """The bound of [16] at each distance, and its base.

    For a simple RNN the base is β_W β_h. A gated cell has no single β_h; its base is the largest
    ‖∂s_j/∂s_{j−1}‖ seen, which bounds the product for the same reason.
    """
    base = float(_spectral_norm(jacobians.reshape(-1, *jacobians.shape[2:])).max())
    slope = SLOPES.get(getattr(layer.activation, "__name__", ""))
    if layer.gates == 1 and slope is not None:
        base = largest_singular_value(layer) * slope
    return base ** np.arange(len(jacobians)), base


def largest_singular_value(layer: Recurrent) -> float:
    """β_W: the largest singular value of the recurrent matrix."""
    return float(np.linalg.norm(_numpy(layer.recurrent_kernel).astype("float64"), 2))


def memory_length(norms: np.ndarray) -> int | None:
    """The first distance at which the norm is under 1 % of distance 0; None: not on this probe."""
    faded = np.flatnonzero(norms < FADED * norms[0])
    return int(faded[0]) if len(faded) else None


def _spectral_norm(matrices: np.ndarray) -> np.ndarray:
    """Largest singular value of each of `[n, a, b]`, as the root of AᵀA's largest eigenvalue."""
    scale = np.abs(matrices).max(axis=(1, 2), keepdims=True)
    unit = matrices / np.where(scale > 0, scale, 1.0)
    if not np.isfinite(unit).all():
        return np.full(len(matrices), np.inf)
    largest = np.linalg.eigvalsh(np.swapaxes(unit, 1, 2) @ unit)[:, -1]
    return np.sqrt(np.maximum(largest, 0.0)) * scale[:, 0, 0]


def _repeated(x: Tensor, times: int) -> Tensor:
    """`[batch, .] -> [times * batch, .]`."""
    return ops.tile(x, (times, 1))


def _split(rows: np.ndarray, sizes: Sequence[int]) -> State:
    return tuple(np.split(rows, np.cumsum(sizes)[:-1], axis=1))


def _numpy(x: Tensor) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))
