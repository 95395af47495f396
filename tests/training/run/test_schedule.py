"""The schedule: decay on plateaus, stopping, averaging, warm-up; all from plain numbers."""

from __future__ import annotations

import pytest

from training.config import OptimizerConfig, TrainingConfig, checked
from training.run.schedule import RunState, after_epoch, averaging_due, learning_rate_at
from zoo.errors import ZooError


def run(figures, config):
    state = RunState(learning_rate=1.0)
    rates = []
    for figure in figures:
        after_epoch(state, figure, config)
        rates.append(state.learning_rate)
        if state.stopped:
            break
    return state, rates


def test_a_plateau_halves_the_learning_rate():
    _, rates = run([10, 9, 9, 8, 8.5, 8.6], TrainingConfig(patience=1, stop_after=9))
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25, 0.125]


def test_patience_waits():
    _, rates = run([10, 11, 12, 13], TrainingConfig(patience=2, stop_after=9))
    assert rates == [1.0, 1.0, 0.5, 0.5]


def test_the_learning_rate_has_a_floor():
    config = TrainingConfig(patience=1, stop_after=99, min_learning_rate=0.3)
    assert run([1.0] * 8, config)[1][-1] == 0.3


def test_a_fixed_decay_starts_at_its_epoch():
    config = TrainingConfig(decay=0.5, decay_every_epoch_from=2, stop_after=9)
    assert run([4, 3, 2], config)[1] == [1.0, 0.5, 0.25]


def test_it_stops_and_remembers_the_best():
    state, rates = run([5, 4, 6, 7, 3], TrainingConfig(stop_after=2))
    assert state.stopped
    assert (state.best, state.best_epoch, len(rates)) == (4, 2, 4)


def test_averaging_comes_before_stopping():
    config = TrainingConfig(stop_after=2, optimizer=OptimizerConfig(average=True, average_after=2))
    state, _ = run([5, 6, 7], config)
    assert averaging_due(state, config)
    assert not state.stopped


def test_averaging_can_start_with_an_epoch():
    config = TrainingConfig(optimizer=OptimizerConfig(average=True, average_from=3))
    due = [averaging_due(RunState(1.0, epoch=done), config) for done in range(4)]
    assert due == [False, False, True, True]


@pytest.mark.parametrize(("steps", "rate"), [(0, 0.25), (1, 0.5), (3, 1.0), (50, 1.0)])
def test_warm_up_grows_linearly(steps, rate):
    state = RunState(learning_rate=1.0, steps=steps)
    assert learning_rate_at(state, TrainingConfig(warmup_steps=4)) == rate


def test_cosine_falls_from_the_warm_up_to_zero_and_never_decays():
    config = TrainingConfig(schedule="cosine", epochs=2, warmup_steps=2, stop_after=9)
    rates = [learning_rate_at(RunState(1.0, steps=s), config, 5) for s in range(11)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0.0)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert run([3, 4, 5], config)[1] == [1.0, 1.0, 1.0]


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ZooError, match="schedule='linear': use plateau or cosine"):
        checked(TrainingConfig, {"schedule": "linear"}, "run.yaml")
