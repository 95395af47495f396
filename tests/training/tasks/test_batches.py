"""Batches: every token once, in order where a stream is carried, shuffled where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.tasks.batches import MEAN_PIECE, encode_stream, sentence_batches, stream_batches
from zoo.text import BOS, EOS

sentences = st.lists(st.lists(st.integers(4, 30), max_size=12), min_size=1, max_size=20)


@given(sentences, st.integers(1, 5), st.integers(1, 7))
def test_stream_batches_predict_each_token_once_and_in_order(rows, batch_size, time_steps):
    stream = encode_stream(rows)
    batches = list(stream_batches(stream, batch_size, time_steps))
    targets = np.concatenate([b["targets"] for b in batches], axis=1)
    weights = np.concatenate([b["weights"] for b in batches], axis=1)
    assert targets.reshape(-1)[weights.reshape(-1) > 0].tolist() == stream.tolist()
    inputs = np.concatenate([b["inputs"] for b in batches], axis=1).reshape(-1)
    previous = np.concatenate([[EOS], stream[:-1]])
    assert inputs[: len(stream)].tolist() == np.where(previous == EOS, BOS, previous).tolist()


@given(sentences, st.integers(1, 5), st.integers(2, 7), st.integers(0, 9))
def test_varied_pieces_of_a_stream_hold_each_token_once(rows, batch_size, time_steps, seed):
    """They begin anywhere, go round, and are of the usual length or half of it."""
    stream, rng = encode_stream(rows), np.random.default_rng(seed)
    batches = list(stream_batches(stream, batch_size, time_steps, rng))
    targets, weights = (
        np.concatenate([b[name] for b in batches], axis=1).reshape(-1)
        for name in ("targets", "weights")
    )
    found = targets[weights > 0].tolist()
    assert found in [np.roll(stream, i).tolist() for i in range(len(stream))]
    lengths = {b["targets"].shape[1] for b in batches[:-1]}
    assert lengths <= {time_steps, time_steps // 2}


def test_varied_pieces_are_bounded_elsewhere_each_epoch_and_short_in_turn():
    stream = np.arange(4, 40_004, dtype=np.int32)
    firsts, lengths = [], []
    for epoch in (0, 1, 0):
        rng = np.random.default_rng([1, epoch])
        batches = list(stream_batches(stream, 2, 10, rng))
        firsts.append([int(b["targets"][0, 0]) for b in batches])
        lengths += [b["targets"].shape[1] for b in batches[:-1]]
    assert firsts[0] == firsts[2]
    assert not set(firsts[0][:50]) & set(firsts[1][:50])
    assert np.mean(lengths) == pytest.approx(10 * MEAN_PIECE, rel=0.01)


@given(sentences, st.integers(1, 6))
def test_sentence_batches_hold_each_sentence_once(rows, batch_size):
    rng = np.random.default_rng(3)
    found = []
    for batch in sentence_batches(rows, batch_size, 40, rng):
        assert batch["inputs"].shape == batch["targets"].shape == batch["weights"].shape
        assert len(batch["inputs"]) == batch_size
        for inputs, targets, weights in zip(*batch.values(), strict=True):
            counted = int(weights.sum())
            if counted:
                assert inputs[0] == BOS
                assert targets[counted - 1] == EOS
                assert inputs[1:counted].tolist() == targets[: counted - 1].tolist()
                found.append(targets[: counted - 1].tolist())
    assert sorted(found) == sorted(rows)


def test_a_cut_sentence_does_not_teach_an_end():
    (batch,) = sentence_batches([[5, 6, 7, 8]], 1, 2, None)
    assert batch["targets"][0, :2].tolist() == [5, 6]
    assert batch["weights"].sum() == 2


def test_epochs_differ_and_repeat_by_seed():
    rows = [[i, i + 1] for i in range(4, 60)]
    orders = [
        [b["targets"].tolist() for b in sentence_batches(rows, 4, 9, np.random.default_rng([1, e]))]
        for e in (0, 1, 0)
    ]
    assert orders[0] == orders[2]
    assert orders[0] != orders[1]


@pytest.mark.parametrize("batch_size", [1, 7])
def test_stream_shapes_are_few(batch_size):
    stream = encode_stream([[4] * 10] * 50)
    widths = {b["inputs"].shape[1] for b in stream_batches(stream, batch_size, 6)}
    assert len(widths) <= 2
