"""A Keras callback that sees gradients vanish or explode while a model trains.

A vanishing gradient "can go undetected" (section 2.1): the loss still falls, from near words
alone. At an interval the callback sends a unit gradient back from the last step of a probe through
every recurrent layer, and says in words what it finds and what cures it.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from training.diagnostics.gradients import memory_length, norms_from_last, trajectory
from zoo.errors import ZooError
from zoo.layers import Recurrent
from zoo.layers.recording import recorded_calls

logger = logging.getLogger("zoo.gradients")
ROWS = 4
MIN_STEPS = 10  # on shorter probes nothing can be far
GATED_CURE = "start its forget gate more open, or shorten the way with attention"
CURE = (
    "use a GRU or LSTM cell, or ReLU with identity start "
    "(cell_options: activation: relu, recurrent_initializer: identity)"
)
EXPLODING_CURE = (
    "lower training.optimizer.learning_rate or set training.optimizer.clip_norm (Algorithm 1)"
)


@dataclass(frozen=True)
class Flow:
    """One layer's gradient on its way back from the last step.

    Attributes:
        layer: its name.
        reach: ‖∂E/∂s_k‖ by distance, for a unit gradient at the last step.
        terms: the contribution of each distance to ∂E/∂U.
        gated: whether the cell has gates.
    """

    layer: str
    reach: np.ndarray
    terms: np.ndarray
    gated: bool

    @property
    def far_share(self) -> float:
        """What the far half contributes at most, as a share of the near distances."""
        near = float(self.terms[:3].max())
        # The very first step starts from zeros and contributes nothing in any network.
        far = float(self.terms[len(self.terms) // 2 : -1].max(initial=0.0))
        return far / near if near > 0 else 0.0


def measure(model: keras.Layer, forward: Callable[[], Any], max_steps: int = 64) -> list[Flow]:
    """The flow through each recurrent layer of a model.

    Args:
        model: the model that is looked at.
        forward: runs it on a probe, outside any compiled function.
        max_steps: a longer probe is cut.
    """
    calls, _ = recorded_calls(model, forward)
    return [_flow(call.layer, call.inputs[:ROWS, :max_steps]) for call in calls]


def _flow(layer: Recurrent, inputs: Any) -> Flow:
    path = trajectory(layer, inputs)
    direction = np.random.default_rng(0).normal(size=(path.rows, path.sizes[0]))
    unit = (direction / np.linalg.norm(direction)).astype("float32")
    reach, terms = norms_from_last(path, unit)
    return Flow(layer.name, reach, terms, layer.gates > 1)


def longest_rows(batches: Iterator[Mapping[str, Any]], looked_at: int = 20) -> dict[str, Any]:
    """A few rows of the longest of the first batches: a probe with as many steps as they have."""

    def steps(batch: Mapping[str, Any]) -> Any:  # weights are of steps, or of whole texts
        return batch.get("mask", batch["weights"])

    batch = max(itertools.islice(batches, looked_at), key=lambda b: steps(b).shape[1])
    rows = np.argsort(-steps(batch).sum(axis=1), kind="stable")[:ROWS]
    return {name: part[rows] for name, part in batch.items()}


def verdict(flow: Flow, vanish: float = 1e-3, explode: float = 1e3) -> str | None:
    """What is wrong with a layer's gradients and what to do, in one line; None: nothing."""
    if not np.isfinite(flow.reach).all():
        return f"{flow.layer}: gradients are NaN or infinite; {EXPLODING_CURE}"
    if flow.reach.max() > explode:
        distance = int(np.argmax(flow.reach > explode))
        return (
            f"{flow.layer}: gradients explode, {explode:g} times larger {distance} steps back; "
            f"{EXPLODING_CURE}"
        )
    if len(flow.reach) >= MIN_STEPS and flow.far_share < vanish:
        length = memory_length(flow.terms + 1e-300) or len(flow.terms)
        return (
            f"{flow.layer}: gradients vanish, words {length} or more steps back contribute under "
            f"1 % of the nearest; {GATED_CURE if flow.gated else CURE}"
        )
    return None


class GradientFlow(keras.callbacks.Callback):
    """Measures gradient flow every so many steps, logs it, warns in words.

    Args:
        forward: runs the model on a probe batch, such as `lambda: model(batch)`.
        writer: a `tf.summary` writer for TensorBoard, or None.
        every: steps between measurements, of the layers of the model that is fitted.
        vanish: far contributions under this share of the near ones are vanishing.
        explode: a gradient grown by this factor on its way back is exploding.

    Raises:
        ZooError: (from a training step) the loss is no longer a number.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import LSTM
        >>> model = keras.Sequential([LSTM(4, return_sequences=True), keras.layers.Dense(1)])
        >>> x = np.zeros((8, 12, 3), "float32")
        >>> flow = GradientFlow(lambda: model(x), every=10)
        >>> model.compile("sgd", "mse")
        >>> _ = model.fit(x, x[..., :1], callbacks=[flow], verbose=0)
    """

    def __init__(
        self,
        forward: Callable[[], Any],
        writer: Any = None,
        every: int = 1000,
        vanish: float = 1e-3,
        explode: float = 1e3,
    ) -> None:
        super().__init__()
        if every < 1:
            raise ZooError(f"every must be at least 1 step, got {every}")
        self.forward, self.writer, self.every = forward, writer, every
        self.vanish, self.explode = vanish, explode
        self.warnings: list[str] = []
        self.latest: list[Flow] = []
        self._warned: set[tuple[str, str]] = set()
        self._steps = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._steps += 1
        refuse_if_exploded(
            float((logs or {}).get("loss", 0.0)),
            self._steps,
            f"{EXPLODING_CURE}, then start again from the last good checkpoint",
        )
        if self._steps % self.every == 0:
            self.check(self._steps)

    def check(self, step: int) -> list[Flow]:
        """Measure now; returns each layer's flow."""
        self.latest = measure(self.model, self.forward)
        for flow in self.latest:
            line = verdict(flow, self.vanish, self.explode)
            if line and self._is_new(flow.layer, line):
                self.warnings.append(line)
                logger.warning("step %d: %s", step, line)
        self._log(step)
        return self.latest

    def _is_new(self, layer: str, line: str) -> bool:
        kind = (layer, "explode" if "explode" in line or "NaN" in line else "vanish")
        new = kind not in self._warned
        self._warned.add(kind)
        return new

    def _log(self, step: int) -> None:
        if self.writer is None:
            return
        import tensorflow as tf

        with self.writer.as_default(step=step):
            for flow in self.latest:
                for distance in (1, 5, 10, 20, 40):
                    if distance < len(flow.reach):
                        tf.summary.scalar(
                            f"gradient_flow/{flow.layer}/norm_{distance}_back",
                            flow.reach[distance] / flow.reach[0],
                        )
                tf.summary.scalar(f"gradient_flow/{flow.layer}/far_share", flow.far_share)
            share = clipped_share(self.model.optimizer) if self.model else None
            if share is not None:
                tf.summary.scalar("gradient_flow/clipped_share", share)
        self.writer.flush()


def refuse_if_exploded(loss: float, step: int, remedy: str) -> None:
    """Raise a ZooError with a remedy if a step's loss is no number any more."""
    if not math.isfinite(loss):
        raise ZooError(f"the loss became {loss} at step {step}: gradients exploded; {remedy}")


def clipped_share(optimizer: keras.optimizers.Optimizer) -> float | None:
    """The share of all steps so far at which Algorithm 1 acted; None where it is not counted."""
    counted = getattr(optimizer, "clipped_steps", None)
    if counted is None:
        return None
    return float(counted) / max(float(optimizer.iterations), 1.0)
