"""One whole-sequence recurrence under every cell, with a hand-derived gradient.

For a cell  s_t = step(p_t, a_t, s_{t-1}),  s_t = (h_t, ...),  with
    p_t = W x_t + b         formed for all steps by one product before the loop
    a_t = U h_{t-1} + b_r   the only product inside the loop (and h_t <- P h_t with a projection)
the gradient loop keeps only the recurrent product too,
    ∂J/∂h_{t-1} = step' + Uᵀ ∂J/∂a_t
and the sum over time of equation [10] is one product over batch × time after the loop,
    ∂J/∂U = Σ_t (∂J/∂a_t) h_{t-1}ᵀ
instead of one matrix of the size of U added at each step. A cell gives `step` and its derivative
`step_gradient`; everything else (masks, initial states, projection, the loop) is here, once.

Axes in this file: time first, then batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

Tensor = Any
State = tuple[Tensor, ...]

_ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


class Cell(NamedTuple):
    """The mathematics of one cell.

    Attributes:
        step: `(p_t, a_t, s_{t-1}) -> (s_t, saved)`, all `[batch, .]`; `saved` is what the
            gradient needs besides the states.
        step_gradient: `(saved, s_{t-1}, s_t, ∂J/∂s_t) -> (∂J/∂p_t, ∂J/∂a_t, ∂J/∂s_{t-1})`; the
            last one leaves out the path through a_t, and a None in it is a zero. `∂J/∂a_t` is
            None where p_t and a_t enter only as their sum. None instead of a function: the
            backend differentiates the loop.
        products: replaces the single product U h_{t-1} for cells that need another form.
    """

    step: Callable[[Tensor, Tensor, State], tuple[State, State]]
    step_gradient: Callable[..., tuple[Tensor, Tensor | None, tuple[Tensor | None, ...]]] | None
    advance: Callable[..., State] | None = None


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


class Projection(NamedTuple):
    """W and b of p_t = W x_t + b.

    Attributes:
        kernel: W, `[features, gates * units]`.
        bias: b, `[gates * units]` or None.
    """

    kernel: Tensor
    bias: Tensor | None = None


class Run(NamedTuple):
    """What a forward pass leaves for the gradient; each entry `[time, batch, .]`."""

    states: State  # s_t after the mask
    saved: State
    hidden: Tensor | None  # h_t before the projection, where there is one


def sum_of_products(left: Tensor, right: Tensor) -> Tensor:
    """Σ_n left_nᵀ right_n over rows: `[rows, a], [rows, b] -> [a, b]`."""
    return ops.matmul(ops.transpose(left), right)


def recurrent_product(h: Tensor, weights: Weights) -> Tensor:
    """a_t = U h_{t-1} + b_r: `[batch, outputs] -> [batch, gates * units]`."""
    if weights.dropout_masks is None:
        product = ops.matmul(h, weights.kernel)
    else:
        kernels = ops.split(weights.kernel, len(weights.dropout_masks), axis=1)
        masked = zip(weights.dropout_masks, kernels, strict=True)
        product = ops.concatenate([ops.matmul(h * m, u) for m, u in masked], axis=1)
    return product if weights.bias is None else product + weights.bias


def make_advance(
    cell: Cell, weights: Weights
) -> Callable[[Tensor, State], tuple[State, State, Tensor]]:
    """One step: `(p_t, s_{t-1}) -> (s_t, saved, h_t before the projection)`, `[batch, .]` each."""
    if cell.advance is not None:
        replaced = cell.advance

        def advance_replaced(projected: Tensor, state: State) -> tuple[State, State, Tensor]:
            state = replaced(projected, state, weights)
            return state, (), state[0]

        return advance_replaced

    def advance(projected: Tensor, state: State) -> tuple[State, State, Tensor]:
        product = recurrent_product(state[0], weights)
        (hidden, *rest), saved = cell.step(projected, product, state)
        h = hidden if weights.projection is None else ops.matmul(hidden, weights.projection)
        return (h, *rest), saved, hidden

    return advance


def recurrence(
    cell: Cell,
    weights: Weights,
    projected: Tensor,
    state: Sequence[Tensor],
    mask: Tensor | None = None,
    unroll: bool = False,
    jit_compile: bool = True,
) -> tuple[Tensor, State]:
    """Run a cell over a whole sequence.

    Args:
        cell: the cell's mathematics.
        weights: the weights inside the loop.
        projected: `[time, batch, gates * units]`, W x_t + b of every step.
        state: the initial states, each `[batch, size]`.
        mask: `[time, batch, 1]` bool or None; where False the state is copied.
        unroll: write the steps out one after another (static time only).
        jit_compile: let the TensorFlow backend compile the loops of a differentiated call.

    Returns:
        `(outputs, state)`: h_t of every step `[time, batch, outputs]` and the last states.
    """
    state = tuple(state)
    if projected.shape[0] == 0:
        return ops.zeros((0, *ops.shape(state[0])), dtype=state[0].dtype), state
    by_hand = cell.step_gradient is not None and weights.dropout_masks is None
    if _ON_TENSORFLOW:
        from zoo.layers.recurrence import tensorflow as fast
        from zoo.layers.recurrence import xla

        if by_hand and fast.gradient_is_recorded():
            compiled = jit_compile and fast.can_compile(projected)
            return xla.differentiable(cell, weights, projected, state, mask, unroll, compiled)
    elif by_hand and keras.backend.backend() == "jax":
        return _differentiable(cell, weights, projected, state, mask)
    return plain(cell, weights, projected, state, mask, unroll)


def plain(
    cell: Cell,
    weights: Weights,
    projected: Tensor,
    state: State,
    mask: Tensor | None,
    unroll: bool = False,
) -> tuple[Tensor, State]:
    """The loop alone: stock operations, nothing saved, differentiated by the backend if at all."""
    advance = make_advance(cell, weights)

    def body(previous: State, inputs: tuple[Tensor, ...]) -> tuple[State, State]:
        current, _, _ = advance(inputs[0], previous)
        if mask is not None:
            current = _where(inputs[1], current, previous)
        return current, (current[0],)

    inputs = (projected,) if mask is None else (projected, mask)
    final, (outputs,) = scan(body, state, inputs, unroll=unroll)
    return outputs, final


def forward(
    cell: Cell,
    weights: Weights,
    projected: Tensor,
    state: State,
    mask: Tensor | None,
    unroll: bool = False,
    input_bias: Tensor | None = None,
) -> tuple[State, Run]:
    """The loop, keeping what `backward` needs: `(last states, Run)`.

    `input_bias` is b where `projected` lacks it: a compiler adds it on the way.
    """
    advance = make_advance(cell, weights)

    def body(previous: State, inputs: tuple[Tensor, ...]) -> tuple[State, tuple[State, ...]]:
        p = inputs[0] if input_bias is None else inputs[0] + input_bias
        current, saved, hidden = advance(p, previous)
        if mask is not None:
            current = _where(inputs[1], current, previous)
        projection = () if weights.projection is None else (hidden,)
        return current, (current, saved, projection)

    inputs = (projected,) if mask is None else (projected, mask)
    final, (states, saved, hidden) = scan(body, state, inputs, unroll=unroll)
    return final, Run(states, saved, hidden[0] if hidden else None)


def backward(
    cell: Cell,
    weights: Weights,
    state: State,
    mask: Tensor | None,
    run: Run,
    d_outputs: Tensor,
    d_final: State,
    unroll: bool = False,
    kernel_gradient: Callable[[Tensor, Tensor], Tensor] = sum_of_products,
    transposed: Weights | None = None,
) -> tuple[Tensor, State, Weights]:
    """The gradient of `forward`: `(∂J/∂projected, ∂J/∂initial states, ∂J/∂weights)`.

    Args:
        d_outputs: `[time, batch, outputs]`, ∂J/∂h_t from outside the recurrence.
        d_final: ∂J/∂ the last states.
        kernel_gradient: that of `keras.ops`, or a backend's faster form.
        transposed: Uᵀ and Pᵀ, where they are at hand.
    """
    previous = tuple(
        ops.concatenate([ops.expand_dims(first, 0), sequence[:-1]], axis=0)
        for first, sequence in zip(state, run.states, strict=True)
    )
    current = run.states if run.hidden is None else (run.hidden, *run.states[1:])
    step_back = make_step_back(cell, weights, mask is not None, transposed)
    inputs = (run.saved, previous, current, d_outputs, () if mask is None else (mask,))
    d_state, (d_projected, d_product, d_h) = scan(
        step_back, d_final, inputs, reverse=True, unroll=unroll
    )
    d_a = d_product[0] if d_product else d_projected  # [time, batch, gates * units]
    d_weights = Weights(
        kernel=over_time_and_batch(kernel_gradient, previous[0], d_a),
        bias=None if weights.bias is None else ops.sum(d_a, axis=(0, 1)),
        projection=None
        if run.hidden is None
        else over_time_and_batch(kernel_gradient, run.hidden, d_h[0]),
    )
    return d_projected, d_state, d_weights


def make_step_back(
    cell: Cell,
    weights: Weights,
    masked: bool,
    transposed: Weights | None = None,
) -> Callable[..., Any]:
    """The body of the gradient loop: ∂J/∂s_t -> ∂J/∂s_{t-1}."""
    kernel_t, _, projection_t, _ = transposed or transposes(weights)

    def step_back(d_state: State, inputs: tuple[Any, ...]) -> tuple[State, tuple[Any, ...]]:
        saved, previous, current, d_output, mask = inputs
        d_state = (d_state[0] + d_output, *d_state[1:])
        d_step = _where(mask[0], d_state, None) if masked else d_state
        d_h = d_step[0]
        d_hidden = d_h if projection_t is None else ops.matmul(d_h, projection_t)
        d_projected, d_product, d_previous = cell.step_gradient(  # type: ignore[misc]
            saved, previous, current, (d_hidden, *d_step[1:])
        )
        d_a = d_projected if d_product is None else d_product
        through_product = ops.matmul(d_a, kernel_t)
        d_previous = (_add(d_previous[0], through_product), *d_previous[1:])
        if masked:  # a copied step hands its gradient straight on
            d_previous = tuple(
                ops.where(mask[0], new, old) for new, old in zip(d_previous, d_state, strict=True)
            )
        kept = (() if d_product is None else (d_product,), () if projection_t is None else (d_h,))
        return d_previous, (d_projected, *kept)

    return step_back


def transposes(weights: Weights) -> Weights:
    """Uᵀ and Pᵀ."""
    projection = weights.projection
    return Weights(
        kernel=ops.transpose(weights.kernel),
        projection=None if projection is None else ops.transpose(projection),
    )


def _differentiable(
    cell: Cell, weights: Weights, projected: Tensor, state: State, mask: Tensor | None
) -> tuple[Tensor, State]:
    """`forward` with `backward` as its gradient, in `keras.ops` alone."""
    optional = (weights.bias, weights.projection)
    present = [w for w in optional if w is not None]

    @ops.custom_gradient
    def run(projected: Tensor, kernel: Tensor, *rest: Tensor) -> tuple[Any, Callable[..., Any]]:
        used = rebuild_weights(weights, kernel, rest[: len(present)])
        first = tuple(rest[len(present) :])
        final, kept = forward(cell, used, projected, first, mask)

        def gradient(upstream: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            d_projected, d_state, d_weights = backward(
                cell, used, first, mask, kept, upstream[0], tuple(upstream[1:])
            )
            extra = (d for d in (d_weights.bias, d_weights.projection) if d is not None)
            return (d_projected, d_weights.kernel, *extra, *d_state)

        return (kept.states[0], *final), gradient

    outputs, *final = run(projected, weights.kernel, *present, *state)
    return outputs, tuple(final)


def rebuild_weights(template: Weights, kernel: Tensor, present: Sequence[Tensor]) -> Weights:
    """Weights with the template's None entries, from a flat list of the others."""
    rest = list(present)
    bias = None if template.bias is None else rest.pop(0)
    return Weights(kernel, bias, None if template.projection is None else rest.pop(0))


def scan(
    body: Callable[..., Any],
    init: State,
    inputs: Any,
    reverse: bool = False,
    unroll: bool = False,
) -> tuple[State, Any]:
    """`jax.lax.scan` on every backend: `body(carry, inputs_t) -> (carry, kept_t)`."""
    if _ON_TENSORFLOW:
        from zoo.layers.recurrence import tensorflow as fast

        return fast.scan(body, init, inputs, reverse, unroll)
    if keras.backend.backend() == "torch":
        return _python_scan(body, init, inputs, reverse)
    return ops.scan(body, init, inputs, reverse=reverse)


def _python_scan(
    body: Callable[..., Any], init: State, inputs: Any, reverse: bool
) -> tuple[State, Any]:
    """The loop in Python, for a backend that runs eagerly anyway."""
    time = keras.tree.flatten(inputs)[0].shape[0]
    carry, kept = init, []
    for t in reversed(range(time)) if reverse else range(time):
        carry, keep = body(carry, keras.tree.map_structure(lambda x, t=t: x[t], inputs))
        kept.append(keep)
    if reverse:
        kept.reverse()
    stacked = [ops.stack(column) for column in zip(*map(keras.tree.flatten, kept), strict=True)]
    return carry, keras.tree.pack_sequence_as(kept[0], stacked)


def _where(mask: Tensor, new: State, old: State | None) -> State:
    if old is None:
        return tuple(ops.where(mask, n, ops.zeros_like(n)) for n in new)
    return tuple(ops.where(mask, n, o) for n, o in zip(new, old, strict=True))


def _add(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a + b


def over_time_and_batch(
    kernel_gradient: Callable[[Tensor, Tensor], Tensor], left: Tensor, right: Tensor
) -> Tensor:
    """Σ_t left_tᵀ right_t as one product over time × batch."""
    left = ops.reshape(left, (-1, left.shape[-1]))  # [time * batch, outputs]
    right = ops.reshape(right, (-1, right.shape[-1]))  # [time * batch, gates * units]
    return kernel_gradient(left, right)


def product(inputs: Tensor, kernel: Tensor) -> Tensor:
    """W x of every row as one product: `[..., features] -> [..., size]`."""
    rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
    return ops.reshape(ops.matmul(rows, kernel), (*ops.shape(inputs)[:-1], kernel.shape[1]))
