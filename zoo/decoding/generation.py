"""Token by token from a step function: one loop of stock ops, so a whole text is one graph call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from zoo.decoding.beam import beam_search
from zoo.decoding.sampling import IMPOSSIBLE, Beam, Greedy, Sample, is_count
from zoo.decoding.step import Step, as_tensors, without
from zoo.errors import ZooError
from zoo.text.vocabulary import BOS, EOS, PAD
from zoo.types import Tensor


def generate(
    step: Step,
    state: dict[str, Any],
    first_ids: Tensor,
    sampler: Greedy | Sample | Beam,
    max_steps: int,
    seed: int = 0,
    forbidden_ids: Sequence[int] = (PAD, BOS),
) -> Tensor:
    """Continue each row until `<eos>` or for `max_steps` tokens.

    Args:
        step: ([rows] int32, state) -> (log-probabilities [rows, vocabulary], state).
        state: the state before `first_ids`; tensors [rows, ...] by name.
        first_ids: [rows] int32, the token to feed first.
        sampler: how a token is chosen.
        max_steps: tokens to add at most.
        seed: decides the draws of a sampler that draws.
        forbidden_ids: tokens that are never chosen.

    Returns:
        [rows, max_steps] int32; `<pad>` after `<eos>`. Of a beam search the `n_best` of each row,
        one below another.

    Raises:
        ZooError: `max_steps` is below 1.
    """
    if not is_count(max_steps):
        raise ZooError(f"max_steps={max_steps!r}: give a whole number from 1")
    first_ids = ops.convert_to_tensor(first_ids, dtype="int32")
    if isinstance(sampler, Beam):
        ids, _ = beam_search(
            step,
            state,
            first_ids,
            sampler.width,
            max_steps,
            sampler.n_best,
            length_alpha=sampler.length_alpha,
            forbidden_ids=forbidden_ids,
        )
        return ops.reshape(ids, (-1, max_steps))
    uniform = uniform_numbers(first_ids.shape[0], max_steps, seed)
    return sample_loop(step, state, first_ids, sampler, uniform, forbidden_ids)


def uniform_numbers(rows: int, max_steps: int, seed: int) -> np.ndarray:
    """The random numbers behind a sampled text; [rows, max_steps] float32 in [0, 1)."""
    return np.random.default_rng(seed).random((rows, max_steps), dtype=np.float32)


def chosen_tokens(
    log_probs: Tensor, sampler: Greedy | Sample, uniform: Tensor, forbidden_ids: Sequence[int]
) -> Tensor:
    """The next token of each row from log-probabilities [rows, vocabulary] and uniform [rows]."""
    log_probs = without(log_probs, forbidden_ids)
    chosen = sampler.choose(log_probs, uniform)
    # Where nothing may follow (counts without smoothing), the text ends.
    return ops.where(ops.max(log_probs, axis=1) > IMPOSSIBLE, chosen, EOS)


def sample_loop(
    step: Step,
    state: dict[str, Any],
    first_ids: Tensor,
    sampler: Greedy | Sample,
    uniform: Tensor,
    forbidden_ids: Sequence[int],
) -> Tensor:
    """`generate` for the samplers, from given uniform numbers [rows, max_steps]."""
    uniform = ops.convert_to_tensor(uniform, dtype="float32")
    max_steps = ops.shape(uniform)[1]
    positions = ops.arange(max_steps, dtype="int32")[None, :]  # [1, max_steps]

    def more(t: Tensor, token: Tensor, ended: Tensor, ids: Tensor, state: Any) -> Tensor:
        return ops.logical_and(t < max_steps, ops.logical_not(ops.all(ended)))

    def body(t: Tensor, token: Tensor, ended: Tensor, ids: Tensor, state: Any) -> Tensor:
        log_probs, state = step(token, state)
        draw = ops.sum(ops.where(positions == t, uniform, 0.0), axis=1)
        chosen = chosen_tokens(log_probs, sampler, draw, forbidden_ids)
        chosen = ops.where(ended, PAD, chosen)
        ids = ops.where(positions == t, ops.expand_dims(chosen, 1), ids)
        return t + 1, chosen, ops.logical_or(ended, chosen == EOS), ids, as_tensors(state)

    start = (
        ops.convert_to_tensor(0, dtype="int32"),
        first_ids,
        ops.zeros_like(first_ids, dtype="bool"),
        ops.cast(ops.zeros_like(uniform), "int32") + PAD,
        as_tensors(state),
    )
    return ops.while_loop(more, body, start, maximum_iterations=max_steps)[3]
