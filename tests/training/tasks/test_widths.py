"""Few shapes: a step is a program for each, and padding is lost work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.tasks.batches import batch_widths, sentence_batches
from training.tasks.pair_batches import EncodedPairs, pair_batches, pair_widths
from training.tasks.widths import few_shapes

sizes = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=60)


@given(sizes, st.integers(1, 8))
def test_every_shape_fits_into_one_of_few(shapes, most):
    found = few_shapes(np.array(shapes), most)
    assert set(found) == set(shapes)
    assert len(set(found.values())) <= most
    for natural, padded in found.items():
        assert all(n <= p for n, p in zip(natural, padded, strict=True))
    if len(set(shapes)) <= most:
        assert all(natural == padded for natural, padded in found.items())


def test_merging_pads_little():
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(2, 0.4, 3000).astype(int) + 1, 2, 61)[:, None]
    found = few_shapes(lengths)
    padded = np.array([found[tuple(map(int, row))][0] for row in lengths])
    assert padded.sum() < 1.08 * lengths.sum()


def test_many_shapes_are_rounded_first():
    shapes = np.random.default_rng(1).integers(1, 3000, (900, 2))
    found = few_shapes(shapes)
    assert len(set(found.values())) <= 8
    assert all(n <= p for n, p in zip(max(found), found[max(found)], strict=True))


@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_batches_of_an_epoch_have_at_most_eight_widths(batch_size):
    rng = np.random.default_rng(2)
    rows = [[5] * n for n in rng.integers(0, 90, 300)]
    widths = batch_widths(rows, batch_size, 70)
    for epoch in range(2):
        order = np.random.default_rng([1, epoch])
        batches = list(sentence_batches(rows, batch_size, 70, order, widths))
        assert 1 < len({batch["inputs"].shape for batch in batches}) <= 8
        counted = sum(int(batch["weights"].sum()) for batch in batches)
        assert counted == sum(min(len(row), 70) + (len(row) <= 70) for row in rows)


def test_batches_of_pairs_have_at_most_eight_shapes():
    rng = np.random.default_rng(3)
    sides = [[[5] * n for n in rng.integers(1, 40, 400)] for _ in range(2)]
    pairs = EncodedPairs(*sides)
    widths = pair_widths(pairs, 8)
    batches = list(pair_batches(pairs, 8, rng, widths))
    shapes = {(batch["source"].shape, batch["targets"].shape) for batch in batches}
    assert 1 < len(shapes) <= 8
    counted = sum(int(batch["weights"].sum()) for batch in batches)
    assert counted == sum(len(target) + 1 for target in sides[1])
