"""What one cell is, its weights, and one step of it.

For a cell  s_t = step(p_t, a_t, s_{t-1}),  s_t = (h_t, ...),  with
    p_t = W x_t + b         the inputs' term, formed for all steps by one product before the loop
    a_t = U h_{t-1} + b_r   the recurrent term, the only product inside the loop
                            (and h_t <- P h_t with a projection)
a cell gives `step` and its derivative `step_gradient`; everything else (masks, initial states,
the projection, the loop) is in the files above this one, once for all cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from keras import ops

from zoo.types import Nest, State, Tensor

Step: TypeAlias = Callable[[Tensor, Tensor, State], tuple[State, State]]
StateGradient: TypeAlias = tuple[Tensor | None, ...]
StepGradient: TypeAlias = Callable[
    [State, State, State, State], tuple[Tensor, Tensor | None, StateGradient]
]
# A loop's body: (carry, the step's share of the inputs) -> (carry, what is kept of the step).
Body: TypeAlias = Callable[[State, Nest], tuple[State, Nest]]


class Weights(NamedTuple):
    """The weights used inside the loop.

    Attributes:
        kernel: U, `[outputs, gates * units]`.
        bias: b_r, `[gates * units]` or None.
        projection: P, `[units, outputs]` or None (outputs = units).
        dropout_masks: one `[batch, outputs]` mask a gate on h_{t-1}, or None.
    """

    kernel: Tensor
    bias: Tensor | None = None
    projection: Tensor | None = None
    dropout_masks: Sequence[Tensor] | None = None


class InputKernel(NamedTuple):
    """W and b of p_t = W x_t + b.

    Attributes:
        kernel: W, `[features, gates * units]`.
        bias: b, `[gates * units]` or None.
    """

    kernel: Tensor
    bias: Tensor | None = None


class Cell(NamedTuple):
    """The mathematics of one cell.

    Attributes:
        step: `(p_t, a_t, s_{t-1}) -> (s_t, saved)`, all `[batch, .]`; `saved` is what the
            gradient needs besides the states. It begins with the cell's stages (gates and new
            memory), in the order of the layer's `stage_names`.
        step_gradient: `(saved, s_{t-1}, s_t, ∂J/∂s_t) -> (∂J/∂p_t, ∂J/∂a_t, ∂J/∂s_{t-1})`; the
            last one leaves out the path through a_t, and a None in it is a zero. `∂J/∂a_t` is
            None where p_t and a_t enter only as their sum. None instead of a function: the
            backend differentiates the loop.
        advance: `(p_t, s_{t-1}, weights) -> (s_t, saved)`, for a cell whose products are not
            U h_{t-1}: it stands in for the product and `step`.
    """

    step: Step
    step_gradient: StepGradient | None
    advance: Callable[[Tensor, State, Weights], tuple[State, State]] | None = None


def differentiated_by_hand(cell: Cell, weights: Weights) -> bool:
    """Whether the cell's own derivative serves; with dropout inside the loop the backend does."""
    return cell.step_gradient is not None and weights.dropout_masks is None


def product(inputs: Tensor, kernel: Tensor) -> Tensor:
    """W x of every row as one product: `[..., features] -> [..., size]`."""
    rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
    return ops.reshape(ops.matmul(rows, kernel), (*ops.shape(inputs)[:-1], kernel.shape[1]))


def project_inputs(inputs: Tensor, input_kernel: InputKernel) -> Tensor:
    """p = W x + b: `[..., features] -> [..., gates * units]`, one product for all steps."""
    terms = product(inputs, input_kernel.kernel)
    return terms if input_kernel.bias is None else terms + input_kernel.bias


def product_by_gate(inputs: Tensor, kernel: Tensor, masks: Sequence[Tensor]) -> Tensor:
    """W x with a mask of its own on x before each gate's part of W."""
    kernels = ops.split(kernel, len(masks), axis=1)
    gates = [ops.matmul(inputs * m, w) for m, w in zip(masks, kernels, strict=True)]
    return ops.concatenate(gates, axis=-1)


def recurrent_term(h: Tensor, weights: Weights) -> Tensor:
    """a_t = U h_{t-1} + b_r: `[batch, outputs] -> [batch, gates * units]`."""
    if weights.dropout_masks is None:
        term = ops.matmul(h, weights.kernel)
    else:
        term = product_by_gate(h, weights.kernel, weights.dropout_masks)
    return term if weights.bias is None else term + weights.bias


def make_advance(
    cell: Cell, weights: Weights
) -> Callable[[Tensor, State], tuple[State, State, Tensor]]:
    """One step: `(p_t, s_{t-1}) -> (s_t, saved, h_t before the projection)`, `[batch, .]` each."""
    if cell.advance is not None:
        replaced = cell.advance

        def advance_replaced(input_term: Tensor, state: State) -> tuple[State, State, Tensor]:
            state, saved = replaced(input_term, state, weights)
            return state, saved, state[0]

        return advance_replaced

    def advance(input_term: Tensor, state: State) -> tuple[State, State, Tensor]:
        (hidden, *rest), saved = cell.step(input_term, recurrent_term(state[0], weights), state)
        h = hidden if weights.projection is None else ops.matmul(hidden, weights.projection)
        return (h, *rest), saved, hidden

    return advance
