"""Beam search with exact scores, written once for every model of the zoo.

A row starts with `width` places. At each step the open hypotheses' best continuations take the
places that are left; one that ends with `<eos>` goes to the pool of ended texts with a final score
(nothing is collected after `<eos>`) and its place is used up. So a beam of 1 is greedy decoding,
and a beam as wide as the space of texts finds them all. The search stops early only when no open
hypothesis can still get among the `n_best`: log-probabilities are at most 0, so a score cannot
rise but through the length penalty of the longest text.

    score = log P / lp(n),   lp(n) = ((5 + n) / 6)^alpha          n tokens, <eos> counted
                                                       (Wu et al. 2016, arXiv 1609.08144)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from keras import ops

from zoo.decoding.sampling import IMPOSSIBLE, NEVER, Beam, is_count
from zoo.decoding.selection import top_k
from zoo.decoding.step import Step, as_tensors, without
from zoo.errors import ZooError
from zoo.text.vocabulary import BOS, EOS, PAD
from zoo.types import Tensor


def length_penalty(length: Tensor, alpha: float) -> Tensor:
    """((5 + n) / 6)^alpha; 1 for alpha 0."""
    return ops.power((5.0 + ops.cast(length, "float32")) / 6.0, alpha)


def beam_search(
    step: Step,
    state: dict[str, Any],
    first_ids: Tensor,
    width: int,
    max_steps: int,
    n_best: int = 1,
    length_alpha: float = 0.0,
    forbidden_ids: Sequence[int] = (PAD, BOS),
    max_lengths: Tensor | None = None,
    shared: Mapping[str, Any] | None = None,
) -> tuple[Tensor, Tensor]:
    """The best texts of each row, best first.

    Args:
        step, state, first_ids, forbidden_ids: as in `zoo.decoding.generate`. The step is called
            with `rows * width` tokens, the hypotheses of a row next to each other.
        width: open hypotheses a row.
        max_steps: tokens at most, `<eos>` counted.
        n_best: texts a row, at most `width`.
        length_alpha: 0 ranks by log-probability.
        max_lengths: [rows] int32, a row's own limit below `max_steps`; None for no other.
        shared: state entries that are the same for all hypotheses of a row and that no step
            changes, [rows, ...]; the step finds them in its state as they are, never copied.

    Returns:
        ids [rows, n_best, max_steps] int32, `<pad>` after `<eos>`, and scores [rows, n_best].
        A text that reached the limit without `<eos>` is listed only behind all that ended.
        Places without a hypothesis have only `<pad>` and a score of -inf.

    Raises:
        ZooError: a width, `n_best`, `length_alpha` or `max_steps` out of range.
    """
    Beam(width, n_best, length_alpha)  # refuses what is out of range
    if not is_count(max_steps):
        raise ZooError(f"max_steps={max_steps!r}: give a whole number from 1")
    constant = as_tensors(shared or {})
    first_ids = ops.convert_to_tensor(first_ids, dtype="int32")
    positions = ops.arange(max_steps, dtype="int32")[None, None, :]  # [1, 1, max_steps]
    limits = ops.full_like(first_ids, max_steps)  # [rows]
    if max_lengths is not None:
        limits = ops.minimum(limits, ops.cast(max_lengths, "int32"))
    best_penalty = length_penalty(limits, length_alpha)  # [rows]
    search = _Search(
        step, constant, positions, limits, best_penalty, width, n_best, length_alpha, forbidden_ids
    )
    changing = {name: value for name, value in state.items() if name not in constant}
    start = _start(first_ids, changing, width, max_steps)
    end = ops.while_loop(search.goes_on, search.advance, start, maximum_iterations=max_steps)
    _, _, open_scores, open_ids, _, pool_scores, pool_ids = end
    cut_scores = ops.where(
        open_scores > IMPOSSIBLE, open_scores / ops.expand_dims(best_penalty, 1), NEVER
    )
    return _with_unended(pool_scores, pool_ids, cut_scores, open_ids, n_best)


class _Search(NamedTuple):
    """What stays the same from step to step."""

    step: Step
    constant: Mapping[str, Any]
    positions: Tensor  # [1, 1, max_steps]
    limits: Tensor  # [rows]
    best_penalty: Tensor  # [rows]
    width: int
    n_best: int
    length_alpha: float
    forbidden_ids: Sequence[int]

    def goes_on(self, t: Tensor, *loop: Any) -> Tensor:
        """Whether an open hypothesis of any row can still be among its best."""
        _, open_scores, _, _, pool_scores, _ = loop
        hope = ops.max(open_scores, axis=1) / self.best_penalty
        useful = ops.logical_and(hope > pool_scores[:, self.n_best - 1], hope > IMPOSSIBLE)
        return ops.any(ops.logical_and(useful, t < self.limits))

    def advance(self, t: Tensor, *loop: Any) -> tuple[Any, ...]:
        """One token more: what ends goes to the pool, the best others stay open."""
        tokens, open_scores, open_ids, state, pool_scores, pool_ids = loop
        log_probs, state = self.step(ops.reshape(tokens, (-1,)), {**state, **self.constant})
        scores, tokens, parents = _continuations(
            open_scores, log_probs, pool_scores, self.forbidden_ids
        )
        ids = ops.take_along_axis(open_ids, ops.expand_dims(parents, -1), axis=1)
        ids = ops.where(self.positions == t, ops.expand_dims(tokens, -1), ids)
        running = ops.expand_dims(t < self.limits, 1)  # [rows, 1]
        ends = ops.logical_and(running, tokens == EOS)
        final = ops.where(
            scores > IMPOSSIBLE, scores / length_penalty(t + 1, self.length_alpha), NEVER
        )
        pool_scores, pool_ids = _merge(pool_scores, pool_ids, ops.where(ends, final, NEVER), ids)
        scores = ops.where(ends, NEVER, ops.where(running, scores, open_scores))
        ids = ops.where(ops.expand_dims(running, -1), ids, open_ids)
        changing = {name: value for name, value in state.items() if name not in self.constant}
        state = _reordered(as_tensors(changing), parents, self.width)
        return t + 1, tokens, scores, ids, state, pool_scores, pool_ids


def _start(first_ids: Tensor, state: dict[str, Any], width: int, max_steps: int) -> tuple[Any, ...]:
    """Loop variables: one open hypothesis a row, the others impossible, an empty pool."""
    rows = ops.shape(first_ids)[0]
    first_only = ops.where(ops.arange(width, dtype="int32") == 0, 0.0, NEVER)[None, :]
    return (
        ops.convert_to_tensor(0, dtype="int32"),
        ops.broadcast_to(ops.expand_dims(first_ids, 1), (rows, width)),
        ops.broadcast_to(first_only, (rows, width)),
        ops.full((rows, width, max_steps), PAD, dtype="int32"),
        {name: ops.repeat(v, width, axis=0) for name, v in as_tensors(state).items()},
        ops.full((rows, width), NEVER, dtype="float32"),
        ops.full((rows, width, max_steps), PAD, dtype="int32"),
    )


def _continuations(
    open_scores: Tensor, log_probs: Tensor, pool_scores: Tensor, forbidden_ids: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The best continuations of a row's open hypotheses, as many as it has places left.

    Args:
        open_scores: [rows, width].
        log_probs: [rows * width, vocabulary].
        pool_scores: [rows, width], to count the places that are used up.
        forbidden_ids: tokens that no text holds.

    Returns:
        Scores, tokens and parents [rows, width]; best first, places used up at NEVER.
    """
    width, vocabulary = open_scores.shape[1], log_probs.shape[-1]
    # A hypothesis can give at most `width` of the best: two small selections, not one large. The
    # forbidden ones fall out of the selection, not out of all words: that would cost a pass.
    each = min(width + len(forbidden_ids), vocabulary)
    best, tokens = top_k(log_probs, each)  # [rows * width, each]
    best = without(best, forbidden_ids, tokens)
    totals = ops.expand_dims(open_scores, -1) + ops.reshape(best, (-1, width, each))
    totals = ops.reshape(ops.maximum(totals, NEVER), (-1, width * each))
    scores, places = ops.top_k(totals, k=width)  # [rows, width]
    used = ops.sum(ops.cast(pool_scores > IMPOSSIBLE, "int32"), axis=1, keepdims=True)
    scores = ops.where(ops.arange(width, dtype="int32")[None, :] < width - used, scores, NEVER)
    places = ops.cast(places, "int32")
    tokens = ops.reshape(tokens, (-1, width * each))
    return scores, ops.take_along_axis(tokens, places, axis=1), places // each


def _merge(
    scores: Tensor, ids: Tensor, new_scores: Tensor, new_ids: Tensor
) -> tuple[Tensor, Tensor]:
    """The pool with new ended hypotheses, best first; it has room for all."""
    all_scores = ops.concatenate([scores, new_scores], axis=1)
    all_ids = ops.concatenate([ids, new_ids], axis=1)
    best_scores, best = ops.top_k(all_scores, k=scores.shape[1])
    best = ops.expand_dims(ops.cast(best, "int32"), -1)
    return best_scores, ops.take_along_axis(all_ids, best, axis=1)


def _reordered(state: dict[str, Any], parents: Tensor, width: int) -> dict[str, Any]:
    """Each open hypothesis gets its parent's state; tensors [rows * width, ...]."""
    rows = ops.shape(parents)[0]
    flat = ops.reshape(parents + ops.arange(rows, dtype="int32")[:, None] * width, (-1,))
    return {name: ops.take(value, flat, axis=0) for name, value in state.items()}


def _with_unended(
    pool_scores: Tensor, pool_ids: Tensor, open_scores: Tensor, open_ids: Tensor, n_best: int
) -> tuple[Tensor, Tensor]:
    """The answer: ended texts first, then, in places left over, those cut by the limit."""
    scores = ops.concatenate([pool_scores, open_scores], axis=1)  # [rows, 2 * width]
    ids = ops.concatenate([pool_ids, open_ids], axis=1)
    places = ops.cast(ops.arange(scores.shape[1]), "float32")  # both lists are sorted
    key = ops.where(scores > IMPOSSIBLE, -places, -places - scores.shape[1])
    _, best = ops.top_k(key, k=n_best)
    best = ops.cast(best, "int32")
    scores = ops.take_along_axis(scores, best, axis=1)
    possible = scores > IMPOSSIBLE
    ids = ops.take_along_axis(ids, ops.expand_dims(best, -1), axis=1)
    return (
        ops.where(ops.expand_dims(possible, -1), ids, PAD),
        ops.where(possible, scores, -float("inf")),
    )
