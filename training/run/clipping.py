"""Algorithm 1 (clipping of exploding gradients), with a count of how often it acts.

    if ‖ĝ‖ ≥ threshold:  ĝ ← threshold / ‖ĝ‖ · ĝ

The clipping is Keras's own (by global norm, or each entry by value); the optimizers made here
also keep the last gradient's norm and the number of steps at which it was clipped.
"""

from __future__ import annotations

from typing import Any

from keras import ops


class CountsClipping:
    """Mixin for Keras optimizers: `gradient_norm` and `clipped_steps`, readable at any time."""

    def build(self, variables: Any) -> None:
        super().build(variables)  # type: ignore[misc]
        self.gradient_norm = self.add_variable((), dtype="float32", name="gradient_norm")  # type: ignore[attr-defined]
        self.clipped_steps = self.add_variable((), dtype="float32", name="clipped_steps")  # type: ignore[attr-defined]

    def _clip_gradients(self, gradients: list[Any]) -> list[Any]:
        norm = global_norm(gradients)
        clipped = super()._clip_gradients(gradients)  # type: ignore[misc]
        acts = False
        if self.global_clipnorm:  # type: ignore[attr-defined]
            acts = norm >= self.global_clipnorm  # type: ignore[attr-defined]
        elif self.clipvalue:  # type: ignore[attr-defined]
            acts = largest_entry(gradients) > self.clipvalue  # type: ignore[attr-defined]
        self.gradient_norm.assign(norm)
        self.clipped_steps.assign_add(ops.cast(acts, "float32"))
        return clipped


def global_norm(gradients: list[Any]) -> Any:
    """‖ĝ‖ over all gradients together."""
    squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in _dense(gradients)]
    return ops.sqrt(ops.sum(ops.stack(squares)))


def largest_entry(gradients: list[Any]) -> Any:
    """max |ĝ_i|."""
    return ops.max(ops.stack([ops.max(ops.abs(g)) for g in _dense(gradients)]))


def _dense(gradients: list[Any]) -> list[Any]:
    return [ops.convert_to_tensor(g, sparse=False) for g in gradients if g is not None]
