"""When batches start: the policy on a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from serving.batching.queue import BatchQueue
from serving.codec import protos
from serving.config.files import with_batching_defaults
from serving.errors import ServingError
from serving.session.limits import Limits

WAIT = 0.01


@dataclass
class Timer:
    when: float
    callback: object

    def cancel(self) -> None:
        self.callback = None


@dataclass
class Clock:
    """An event loop whose time passes when told."""

    now: float = 100.0
    timers: list[Timer] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when, callback) -> Timer:
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def passes(self, seconds: float) -> None:
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.when <= self.now]:
            self.timers.remove(timer)
            if timer.callback is not None:
                timer.callback()


@dataclass(eq=False)
class Request:
    rows: int = 1


class Model:
    """A queue whose batches run until they are ended."""

    def __init__(
        self,
        rows: int = 32,
        threads: int = 2,
        queue: int = 4,
        parallel_batches: int = 1,
        sizes: tuple[int, ...] = (),
    ) -> None:
        self.clock = Clock()
        self.sizes: list[int] = []
        self.alone: list[bool] = []
        self.running: list[list[Request]] = []
        limits = Limits(rows, WAIT, threads, queue, parallel_batches, sizes, batch_down=True)
        self._queue = BatchQueue(self.clock, limits, self._start)

    def _start(self, queue, batch, alone) -> None:
        self.sizes.append(len(batch))
        self.alone.append(alone)
        self.running.append(batch)

    def ask(self, count: int, rows: int = 1) -> list[Request]:
        requests = [Request(rows) for _ in range(count)]
        for request in requests:
            self._queue.add(request)
        return requests

    def end(self, took: float = 0.1) -> None:
        self.clock.passes(took)
        self._queue.finished(self.running.pop(0), took)

    def remove(self, request) -> bool:
        return self._queue.remove(request)

    @property
    def idle(self) -> bool:
        return self._queue.idle


def settled(clients: int, **limits) -> Model:
    """A model whose closed-loop clients have asked for a while."""
    model = Model(**limits)
    model.ask(clients)
    for _ in range(8):
        model.clock.passes(WAIT)
        done = len(model.running[0])
        model.end()
        model.ask(done)
    while model.running:
        model.end()
    model.sizes.clear()
    return model


def test_lone_requests_start_at_once():
    model = Model()
    for _ in range(3):
        model.ask(1)
        model.end()
    assert model.sizes == [1, 1, 1]
    assert model.alone == [True] * 3
    assert model.idle


@pytest.mark.parametrize("clients", [2, 8, 31])
def test_a_batch_starts_when_all_that_ask_of_late_are_there(clients):
    model = settled(clients)
    model.ask(clients - 1)
    assert model.sizes == []
    model.ask(1)
    assert model.sizes == [clients]


def test_a_full_batch_starts_at_once_even_if_others_run():
    model = Model(rows=4, threads=1)
    model.ask(1)
    model.ask(9)
    assert model.sizes == [1, 4, 4]
    model.end()
    assert model.sizes == [1, 4, 4]


def test_a_part_of_a_batch_waits_from_when_the_model_is_free():
    model = settled(8)
    model.ask(8)
    model.clock.passes(0.1)
    model.ask(2)
    model.end()
    model.clock.passes(0.9 * WAIT)
    assert model.sizes == [8]
    model.clock.passes(0.2 * WAIT)
    assert model.sizes == [8, 2]


def test_clients_that_left_are_waited_for_twice():
    model = settled(8)
    for _ in range(2):
        model.ask(5)
        model.clock.passes(1.1 * WAIT)
        model.end()
    model.ask(5)
    assert model.sizes == [5, 5, 5]


def test_two_halves_become_one_batch():
    model = settled(32)
    model.ask(16)
    model.clock.passes(1.1 * WAIT)
    model.ask(16)
    model.end()
    model.ask(16)
    assert model.sizes == [16, 32]


def two_parallel_batches(clients: int) -> Model:
    """Closed-loop clients of a model whose batches run two at a time, after a while."""
    model = Model(parallel_batches=2)
    model.ask(clients)
    for _ in range(12):
        done = len(model.running[0])
        model.end()
        model.ask(done)
    model.sizes.clear()
    return model


@pytest.mark.parametrize("clients", [2, 8, 31, 32])
def test_parallel_batches_share_the_requests(clients):
    model = two_parallel_batches(clients)
    assert len(model.running) == 2
    for _ in range(4):
        done = len(model.running[0])
        model.end()
        model.ask(done)
    assert set(model.sizes) <= {clients // 2, -(-clients // 2)}
    assert len(model.sizes) == 4


def test_a_free_model_waits_for_those_it_has_answered():
    model = two_parallel_batches(8)
    model.end()
    model.ask(3)
    assert model.sizes == []
    model.ask(1)
    assert model.sizes == [4]
    model.end()
    model.ask(3)
    model.clock.passes(1.1 * WAIT)
    assert model.sizes == [4, 3]


def test_a_lone_request_starts_at_once_beside_nothing():
    model = Model(parallel_batches=2)
    for _ in range(3):
        model.ask(1)
        model.end()
    assert model.sizes == [1, 1, 1]
    assert model.alone == [True] * 3


def test_parallel_batches_are_no_more_than_the_threads_of_the_batching_file():
    parameters = with_batching_defaults(protos.BatchingParameters())
    parameters.num_batch_threads.value = 3
    assert (
        Limits.of(parameters, 8).parallel_batches,
        Limits.of(parameters, 2).parallel_batches,
    ) == (3, 2)


def test_a_batch_that_runs_for_long_holds_nobody_for_ever():
    model = settled(4, threads=2)
    model.ask(4)
    model.ask(1)
    model.clock.passes(0.15)
    assert model.sizes == [4]
    model.clock.passes(0.15)
    assert model.sizes == [4, 1]
    assert model.alone[-1] is False


def test_with_every_thread_busy_requests_wait():
    model = settled(4, threads=1)
    model.ask(4)
    model.ask(2)
    model.clock.passes(10)
    assert model.sizes == [4]
    model.end()
    model.clock.passes(1.1 * WAIT)
    assert model.sizes == [4, 2]


def test_requests_of_several_rows_fill_a_batch_without_overflowing():
    model = Model(rows=8)
    model.ask(1)
    model.ask(3, rows=3)
    assert model.sizes == [1, 2]
    model.ask(1, rows=20)
    assert model.sizes == [1, 2, 1, 1]


def test_a_full_queue_refuses():
    model = Model(rows=1, threads=1, queue=2)
    model.ask(3)
    with pytest.raises(ServingError, match="UNAVAILABLE: The batch scheduling queue"):
        model.ask(1)
    model.end()
    model.ask(1)
    assert model.sizes == [1] * 4


def test_a_request_that_is_given_up_is_in_no_batch():
    model = settled(4)
    first, second = model.ask(2)
    assert model.remove(first)
    assert not model.remove(first)
    model.clock.passes(1.1 * WAIT)
    assert model.running == [[second]]
    assert not model.remove(second)


@pytest.mark.parametrize(
    ("rows", "now"),
    [([1] * 18, 16), ([10, 6, 2], 2), ([10, 8], 2), ([1] * 3, 3), ([1] * 16, 16), ([40], 1)],
)
def test_batch_down_leaves_what_is_above_a_size_to_the_next_batch(rows, now):
    parameters = protos.BatchingParameters(allowed_batch_sizes=[4, 16, 32])
    parameters.max_batch_size.value = 32
    assert Limits.of(with_batching_defaults(parameters)).run_now(rows) == len(rows)
    parameters.batch_padding_policy.value = "BATCH_DOWN"
    assert Limits.of(with_batching_defaults(parameters)).run_now(rows) == now


def test_with_batch_down_the_rest_waits_on():
    model = Model(sizes=(4, 32))
    model.ask(1)
    model.ask(6)
    model.end()
    model.clock.passes(1.1 * WAIT)
    assert model.sizes == [1, 4]
    model.ask(2)
    model.end()
    model.clock.passes(1.1 * WAIT)
    assert model.sizes == [1, 4, 4]


def test_a_policy_that_needs_a_tpu_is_told_to_act_as_another(caplog):
    parameters = protos.BatchingParameters()
    parameters.batch_padding_policy.value = "MINIMIZE_TPU_COST_PER_REQUEST"
    assert not Limits.of(with_batching_defaults(parameters)).batch_down
    assert "acts as PAD_UP" in caplog.text
