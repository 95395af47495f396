"""The training loss's settings: exact or sampled, float32 or bfloat16; what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from training.config import TrainingConfig, checked
from training.tasks.softmax import TrainingSoftmax
from zoo.errors import ZooError
from zoo.layers import MixtureOfSoftmaxes

RNG = np.random.default_rng(0)
WORDS = 50
HIDDEN = RNG.normal(size=(4, 5, 8)).astype("float32")
KERNEL = RNG.normal(size=(8, WORDS)).astype("float32")
BIAS = RNG.normal(size=WORDS).astype("float32")
TARGETS = RNG.integers(0, WORDS, (4, 5)).astype("int32")
WEIGHTS = RNG.integers(0, 2, (4, 5)).astype("float32")


def summed_nats(**settings):
    softmax = TrainingSoftmax(TrainingConfig(**settings))
    output = SimpleNamespace(kernel=ops.convert_to_tensor(KERNEL), bias=BIAS)
    return float(softmax.summed_nats(output, HIDDEN, TARGETS, WEIGHTS))


def exact():
    """Equation [7], directly."""
    logits = HIDDEN @ KERNEL + BIAS
    norm = np.log(np.exp(logits).sum(-1))
    nats = norm - np.take_along_axis(logits, TARGETS[..., None], -1)[..., 0]
    return float((nats * WEIGHTS).sum())


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 1e-2)])
def test_exact_is_exact_up_to_its_width(dtype, tolerance):
    assert summed_nats(softmax_dtype=dtype) == pytest.approx(exact(), rel=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_sample_of_the_whole_vocabulary_is_exact(dtype):
    sampled = summed_nats(softmax="sampled", softmax_samples=WORDS, softmax_dtype=dtype)
    assert sampled == pytest.approx(exact(), rel=0.02)


def test_each_call_draws_other_words_and_the_state_decides_them():
    softmax = TrainingSoftmax(TrainingConfig(softmax="sampled", softmax_samples=7))
    output = SimpleNamespace(kernel=ops.convert_to_tensor(KERNEL), bias=BIAS)

    def draw():
        return float(softmax.summed_nats(output, HIDDEN, TARGETS, WEIGHTS))

    (state,) = softmax.variables  # what a checkpoint keeps
    before = ops.convert_to_numpy(state.value)
    first, second = draw(), draw()
    assert first != second
    state.assign(before)
    assert draw() == first


@pytest.mark.parametrize("settings", [{}, {"softmax": "sampled", "softmax_samples": WORDS}])
def test_a_mixture_of_softmaxes_is_trained_by_its_own_loss(settings):
    softmax, mixture = TrainingSoftmax(TrainingConfig(**settings)), MixtureOfSoftmaxes(2, 8)
    vectors, log_shares = (ops.convert_to_numpy(x) for x in mixture(HIDDEN))
    logits = vectors @ KERNEL + BIAS  # [4, 5, 2, words]
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    p = (np.exp(log_shares)[..., None] * p).sum(-2)
    nats = -np.log(np.take_along_axis(p, TARGETS[..., None], -1)[..., 0])
    output = SimpleNamespace(kernel=ops.convert_to_tensor(KERNEL), bias=BIAS)
    value = float(softmax.summed_nats(output, HIDDEN, TARGETS, WEIGHTS, mixture))
    assert value == pytest.approx((nats * WEIGHTS).sum(), rel=1e-4)


def test_a_sampled_softmax_becomes_exact_at_its_epoch():
    config = TrainingConfig(softmax="sampled", softmax_samples=7, softmax_exact_from=3)
    softmax = TrainingSoftmax(config)
    assert [softmax.switched(epoch) for epoch in (1, 2)] == [False, False]
    assert softmax.switched(4)  # a run that was resumed later
    assert not softmax.switched(5)
    output = SimpleNamespace(kernel=ops.convert_to_tensor(KERNEL), bias=BIAS)
    value = float(softmax.summed_nats(output, HIDDEN, TARGETS, WEIGHTS))
    assert value == pytest.approx(exact(), rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"softmax": "hierarchical"}, "softmax='hierarchical': use exact or sampled"),
        ({"softmax_dtype": "float16"}, "softmax_dtype='float16': use float32 or bfloat16"),
    ],
)
def test_unknown_settings_are_refused(settings, message):
    with pytest.raises(ZooError, match=message):
        checked(TrainingConfig, settings, "run.yaml")
