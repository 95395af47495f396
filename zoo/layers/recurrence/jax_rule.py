"""The derivative of the recurrence on JAX: one rule for both directions.

JAX asks for the tangents of the outputs and transposes that rule where it wants a gradient. The
hand-derived gradient is linear in ∂J/∂s, so its transpose is that rule, and the transpose of the
transpose is the hand-derived gradient again: one loop, and one product for ∂J/∂U after it.

Axes in this file: time first, then batch.
"""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import jax

from zoo.layers.recurrence import gradient
from zoo.layers.recurrence.cell import Cell, Weights
from zoo.layers.recurrence.loop import plain
from zoo.types import State, Tensor

Arguments: TypeAlias = tuple[Weights, Tensor, State, Tensor | None]
Results: TypeAlias = tuple[Tensor, State]


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def differentiable(
    cell: Cell, weights: Weights, input_terms: Tensor, state: State, mask: Tensor | None
) -> Results:
    """`plain`, with `backward` as its gradient."""
    return plain(cell, weights, input_terms, state, mask)


@differentiable.defjvp
def _tangents(cell: Cell, primals: Arguments, tangents: Arguments) -> tuple[Results, Results]:
    weights, input_terms, state, mask = primals
    final, kept = gradient.forward(cell, weights, input_terms, state, mask)
    results = (kept.states[0], final)

    def back(upstream: Results) -> tuple[Tensor, State, Weights]:
        return gradient.backward(cell, weights, state, mask, kept, *upstream)

    d_weights, d_terms, d_state, _ = tangents
    (d_results,) = jax.linear_transpose(back, results)((d_terms, d_state, d_weights))
    return results, d_results
