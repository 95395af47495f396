"""Decoding: beam search against enumeration, samplers against their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from zoo.decoding import Beam, Greedy, Sample, TopK, TopP, beam_search, generate
from zoo.decoding.sampling import FEW
from zoo.errors import ZooError
from zoo.text import BOS, EOS, PAD

VOCABULARY, WORDS = 6, (1, 4, 5)  # ids 0 and 2 are forbidden, 3 ends


class RandomModel:
    """Log-probabilities that depend on the last two tokens, drawn from a seed."""

    def __init__(self, seed: int, sharpness: float = 2.0) -> None:
        logits = np.random.default_rng(seed).normal(size=(VOCABULARY**2, VOCABULARY)) * sharpness
        self.table = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype("float32")

    def start(self, rows: int):
        return {"last": np.full(rows, BOS, np.int32)}

    def step(self, tokens, state):
        key = ops.cast(state["last"], "int32") * VOCABULARY + tokens
        return ops.take(ops.convert_to_tensor(self.table), key, axis=0), {"last": tokens}

    def log_prob(self, ids) -> float:
        total, before, last = 0.0, BOS, BOS
        for token in ids:
            total += float(self.table[before * VOCABULARY + last][token])
            before, last = last, token
        return total

    def all_texts(self, longest: int, alpha: float):
        """Every ended text with its score, best first."""
        texts = [
            ((*words, EOS), self.log_prob([*words, EOS]) / ((5 + n) / 6) ** alpha)
            for n in range(1, longest + 1)
            for words in itertools.product(WORDS, repeat=n - 1)
        ]
        return sorted(texts, key=lambda pair: -pair[1])


def search(model, width, longest, n_best=1, alpha=0.0, rows=1, limits=None):
    first = np.full(rows, BOS, np.int32)
    ids, scores = beam_search(
        model.step, model.start(rows), ops.convert_to_tensor(first), width, longest, n_best,
        length_alpha=alpha, max_lengths=limits,
    )  # fmt: skip
    ids, scores = ops.convert_to_numpy(ids), ops.convert_to_numpy(scores)
    return [
        [
            (tuple(int(i) for i in row if i != PAD), float(score))
            for row, score in zip(*best, strict=True)
        ]
        for best in zip(ids, scores, strict=True)
    ]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.0, 0.6, 1.0]))
def test_a_wide_beam_is_exhaustive(seed, longest, alpha):
    model = RandomModel(seed)
    expected = model.all_texts(longest, alpha)
    count = min(8, len(expected))
    (found,) = search(model, 400, longest, count, alpha)
    assert [ids for ids, _ in found] == [ids for ids, _ in expected[:count]]
    np.testing.assert_allclose(
        [s for _, s in found], [s for _, s in expected[:count]], rtol=1e-4, atol=1e-4
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.0, 0.8]))
def test_a_narrow_beam_gives_true_scores_in_order(seed, width, alpha):
    model = RandomModel(seed, sharpness=1.0)
    for best in search(model, width, 6, width, alpha, rows=3):
        listed = [(ids, score) for ids, score in best if np.isfinite(score)]
        assert len({ids for ids, _ in listed}) == len(listed)
        for ids, score in listed:
            penalty = ((5 + len(ids)) / 6) ** alpha
            assert score == pytest.approx(model.log_prob(ids) / penalty, abs=1e-4)
        for kind in (True, False):  # ended texts first, each kind in order
            scores = [score for ids, score in listed if (ids[-1] == EOS) is kind]
            assert scores == sorted(scores, reverse=True)
        ended = [ids[-1] == EOS for ids, _ in listed]
        assert ended == sorted(ended, reverse=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_beam_of_one_is_greedy(seed):
    model = RandomModel(seed)
    ((ids, _),) = search(model, 1, 6)[0:1][0]
    greedy = generate(model.step, model.start(1), np.array([BOS]), Greedy(), 6)
    assert ids == tuple(int(i) for i in ops.convert_to_numpy(greedy)[0] if i != PAD)


def test_rows_have_their_own_limits():
    model = RandomModel(3)
    limits = ops.convert_to_tensor(np.array([1, 2, 5], np.int32))
    found = search(model, 30, 5, 2, rows=3, limits=limits)
    for limit, best in zip([1, 2, 5], found, strict=True):
        assert best[0][0] == model.all_texts(limit, 0.0)[0][0]
        assert all(len(ids) <= limit for ids, _ in best)


def test_a_numpy_step_works_like_a_tensor_step():
    model = RandomModel(5)

    def numpy_step(tokens, state):
        log_probs, new = model.step(np.asarray(tokens), {"last": np.asarray(state["last"])})
        return np.asarray(log_probs), {"last": np.asarray(new["last"])}

    for sampler in (Greedy(), TopP(0.8), Beam(4)):
        ours = generate(numpy_step, model.start(2), np.array([BOS, BOS]), sampler, 5, seed=4)
        theirs = generate(model.step, model.start(2), np.array([BOS, BOS]), sampler, 5, seed=4)
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("sampler", "allowed"),
    [
        (Sample(), {1, 3, 4, 5}),
        (TopK(2), {4, 5}),
        (TopP(0.75), {4, 5}),
        (TopP(0.3), {5}),
        (TopK(1), {5}),
        (Sample(temperature=0.01), {5}),
    ],
    ids=str,
)
def test_samplers_draw_what_they_should(sampler, allowed):
    probabilities = np.array([0.0, 0.1, 0.0, 0.1, 0.3, 0.5])
    rows = 2_000

    def step(tokens, state):
        logs = np.log(np.maximum(probabilities, 1e-12)).astype("float32")
        return ops.convert_to_tensor(np.tile(logs, (rows, 1))), state

    drawn = generate(step, {"none": np.zeros(rows, "float32")}, np.full(rows, BOS), sampler, 1, 7)
    ids, counts = np.unique(ops.convert_to_numpy(drawn), return_counts=True)
    assert set(ids.tolist()) == allowed
    if sampler.temperature == 1.0:
        kept = probabilities[ids] / probabilities[ids].sum()
        np.testing.assert_allclose(counts / rows, kept, atol=0.05)


@pytest.mark.parametrize("sharpness", [0.1, 6.0], ids=["nearly all tokens", "few tokens"])
def test_a_nucleus_of_any_size_is_drawn_from_exactly(sharpness):
    random = np.random.default_rng(3)
    logits = (random.normal(size=(50, 700)) * sharpness).astype("float32")
    uniform = random.uniform(size=50).astype("float32")
    drawn = ops.convert_to_numpy(TopP(0.9).choose(ops.convert_to_tensor(logits), uniform))
    for row, u, token in zip(logits.astype("float64"), uniform, drawn, strict=True):
        p = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        order = np.argsort(-p)
        kept = order[np.cumsum(p[order]) - p[order] < 0.9]
        assert (len(kept) > FEW) == (sharpness < 1)
        edges = np.cumsum(p[kept]) / p[kept].sum()
        assert token == kept[np.searchsorted(edges, u, side="right")]


def test_the_seed_decides_the_text():
    model = RandomModel(8, sharpness=0.5)

    def draw(seed):
        drawn = generate(model.step, model.start(9), np.full(9, BOS), Sample(), 6, seed=seed)
        return ops.convert_to_numpy(drawn).tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Sample(temperature=0),
        lambda: Sample(temperature=float("nan")),
        lambda: TopK(0),
        lambda: TopP(0.0),
        lambda: TopP(1.5),
        lambda: Beam(0),
        lambda: Beam(2, n_best=3),
        lambda: Beam(2, length_alpha=-1),
    ],
)
def test_bad_settings_are_refused(make):
    with pytest.raises(ZooError):
        make()
