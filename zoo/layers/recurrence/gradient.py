"""The recurrence with a hand-derived gradient.

The gradient loop keeps only the recurrent product of the loop,
    ∂J/∂h_{t-1} = step' + Uᵀ ∂J/∂a_t
and the sum over time of equation [10] is one product over batch × time after the loop,
    ∂J/∂U = Σ_t (∂J/∂a_t) h_{t-1}ᵀ
instead of one matrix of the size of U added at each step.

Axes in this file: time first, then batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from keras import ops

from zoo.layers.recurrence.cell import Cell, Weights, make_advance
from zoo.layers.recurrence.loop import scan, select
from zoo.types import Nest, State, Tensor

KernelGradient: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class Run(NamedTuple):
    """What a forward pass leaves for the gradient; each entry `[time, batch, .]`."""

    states: State  # s_t after the mask
    saved: State
    hidden: Tensor | None  # h_t before the projection, where there is one


def forward(
    cell: Cell,
    weights: Weights,
    input_terms: Tensor,
    state: State,
    mask: Tensor | None,
    unroll: bool = False,
    input_bias: Tensor | None = None,
) -> tuple[State, Run]:
    """The loop, keeping what `backward` needs: `(last states, Run)`.

    `input_bias` is b where `input_terms` lack it: a compiler adds it on the way.
    """
    advance = make_advance(cell, weights)

    def body(previous: State, inputs: tuple[Tensor, ...]) -> tuple[State, tuple[State, ...]]:
        term = inputs[0] if input_bias is None else inputs[0] + input_bias
        current, saved, hidden = advance(term, previous)
        if mask is not None:
            current = select(inputs[1], current, previous)
        unprojected = () if weights.projection is None else (hidden,)
        return current, (current, saved, unprojected)

    inputs = (input_terms,) if mask is None else (input_terms, mask)
    final, (states, saved, hidden) = scan(body, state, inputs, unroll=unroll)
    return final, Run(states, saved, hidden[0] if hidden else None)


def sum_of_products(left: Tensor, right: Tensor) -> Tensor:
    """Σ_n left_nᵀ right_n over rows: `[rows, a], [rows, b] -> [a, b]`."""
    return ops.matmul(ops.transpose(left), right)


def backward(
    cell: Cell,
    weights: Weights,
    state: State,
    mask: Tensor | None,
    run: Run,
    d_outputs: Tensor,
    d_final: State,
    unroll: bool = False,
    kernel_gradient: KernelGradient = sum_of_products,
    transposed: Weights | None = None,
) -> tuple[Tensor, State, Weights]:
    """The gradient of `forward`: `(∂J/∂input terms, ∂J/∂initial states, ∂J/∂weights)`.

    Args:
        d_outputs: `[time, batch, outputs]`, ∂J/∂h_t from outside the recurrence.
        d_final: ∂J/∂ the last states.
        kernel_gradient: that of `keras.ops`, or a backend's faster form.
        transposed: Uᵀ and Pᵀ, where they are at hand.
    """
    previous = previous_states(state, run)
    step_back = make_step_back(cell, weights, mask is not None, transposed)
    inputs = (run.saved, previous, unprojected(run), d_outputs, () if mask is None else (mask,))
    d_state, (d_terms, d_recurrent, d_h) = scan(
        step_back, d_final, inputs, reverse=True, unroll=unroll
    )
    d_a = d_recurrent[0] if d_recurrent else d_terms  # [time, batch, gates * units]
    d_weights = Weights(
        kernel=over_time_and_batch(kernel_gradient, previous[0], d_a),
        bias=None if weights.bias is None else ops.sum(d_a, axis=(0, 1)),
        projection=None
        if run.hidden is None
        else over_time_and_batch(kernel_gradient, run.hidden, d_h[0]),
    )
    return d_terms, d_state, d_weights


def previous_states(initial: State, run: Run) -> State:
    """s_{t-1} of every step, `[time, batch, .]` each."""
    return tuple(
        ops.concatenate([ops.expand_dims(s_0, 0), sequence[:-1]], axis=0)
        for s_0, sequence in zip(initial, run.states, strict=True)
    )


def unprojected(run: Run) -> State:
    """s_t of every step as the cell made it: with h_t before the projection."""
    return run.states if run.hidden is None else (run.hidden, *run.states[1:])


def make_step_back(
    cell: Cell,
    weights: Weights,
    masked: bool,
    transposed: Weights | None = None,
) -> Callable[[State, tuple[Nest, ...]], tuple[State, tuple[Nest, ...]]]:
    """The body of the gradient loop: ∂J/∂s_t -> ∂J/∂s_{t-1}."""
    kernel_t, _, projection_t, _ = transposed or transposes(weights)

    def step_back(d_state: State, inputs: tuple[Nest, ...]) -> tuple[State, tuple[Nest, ...]]:
        saved, previous, current, d_output, mask = inputs
        d_state = (d_state[0] + d_output, *d_state[1:])
        d_step = _where_stepped(mask[0], d_state) if masked else d_state
        d_h = d_step[0]
        d_hidden = d_h if projection_t is None else ops.matmul(d_h, projection_t)
        d_term, d_recurrent, d_previous = cell.step_gradient(  # type: ignore[misc]
            saved, previous, current, (d_hidden, *d_step[1:])
        )
        d_a = d_term if d_recurrent is None else d_recurrent
        through_product = ops.matmul(d_a, kernel_t)
        d_previous = (_add(d_previous[0], through_product), *d_previous[1:])
        if masked:  # a copied step passes its gradient on unchanged
            d_previous = select(mask[0], d_previous, d_state)
        kept = (
            () if d_recurrent is None else (d_recurrent,),
            () if projection_t is None else (d_h,),
        )
        return d_previous, (d_term, *kept)

    return step_back


def transposes(weights: Weights) -> Weights:
    """Uᵀ and Pᵀ."""
    projection = weights.projection
    return Weights(
        kernel=ops.transpose(weights.kernel),
        projection=None if projection is None else ops.transpose(projection),
    )


def over_time_and_batch(kernel_gradient: KernelGradient, left: Tensor, right: Tensor) -> Tensor:
    """Σ_t left_tᵀ right_t as one product over time × batch."""
    left = ops.reshape(left, (-1, left.shape[-1]))  # [time * batch, outputs]
    right = ops.reshape(right, (-1, right.shape[-1]))  # [time * batch, gates * units]
    return kernel_gradient(left, right)


def _where_stepped(mask: Tensor, d_state: State) -> State:
    """The gradient that goes through the cell; 0 where the state was copied."""
    return tuple(ops.where(mask, d, ops.zeros_like(d)) for d in d_state)


def _add(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a + b
