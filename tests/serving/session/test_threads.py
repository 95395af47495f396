"""Which thread runs a model's operations: found out alone, the caller's under load."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from serving.errors import Code, ServingError
from serving.session import program as program_module
from serving.session.parallelism import with_pools
from serving.session.program import Program
from serving.session.threads import TRIAL_RUNS, Concurrency, RunCounter, ThreadChoice


def outcome(pool_seconds: float, callers_seconds: float) -> bool:
    choice = ThreadChoice()
    choice.record(choice.in_pool, 100.0)  # the first run prepares the graph and counts for nothing
    for _ in range(2 * TRIAL_RUNS):
        choice.record(choice.in_pool, pool_seconds if choice.in_pool else callers_seconds)
    return choice.in_pool


def test_the_faster_way_is_kept():
    assert outcome(1.0, 1.3) is True
    assert outcome(1.0, 0.8) is False


def test_the_pool_has_to_be_worth_its_processor_time():
    assert outcome(1.0, 1.001) is False


def test_a_choice_is_kept_whatever_later_runs_take():
    choice = ThreadChoice()
    for _ in range(2 * TRIAL_RUNS + 1):
        choice.record(choice.in_pool, 1.0 if choice.in_pool else 2.0)
    choice.record(True, 50.0)
    choice.record(True, 50.0)
    assert choice.in_pool is True


def test_runs_are_counted_in_and_out():
    running = RunCounter(cores=2)
    with running as first:
        with running as second:
            pass
        with running as again, running as third:
            pass
    with running as alone:
        pass
    assert [found.runs for found in (first, second, again, third, alone)] == [
        1,
        2,
        2,
        3,
        1,
    ]


@pytest.mark.parametrize(
    ("runs", "cores", "free", "overflows"),
    [(1, 1, True, False), (2, 1, False, True), (1, 2, True, False), (2, 2, False, False),
     (3, 2, False, True), (7, 8, True, False)],
)  # fmt: skip
def test_what_concurrency_means(runs, cores, free, overflows):
    concurrency = Concurrency(runs, cores)
    assert (concurrency.leaves_cores_free, concurrency.overflows) == (free, overflows)


@pytest.fixture
def session():
    config = with_pools(config_pb2.ConfigProto())
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        tf.identity(x * 2, "twice")
        tf.identity(x + 1, "next")
        tf.identity(x - 1, "before")
        yield session


def test_values_come_in_the_order_asked_for_and_as_often(session):
    program = Program(session, ["x:0"], ["twice:0", "before:0", "next:0", "twice:0"])
    for _ in range(2 * TRIAL_RUNS + 3):  # both ways and the chosen one
        values = program.run([np.array([3.0], "float32")], None)
        assert [float(value[0]) for value in values] == [6.0, 2.0, 4.0, 6.0]


def test_a_program_knows_operations_that_were_added_after_the_first_run(session):
    Program(session, ["x:0"], ["twice:0"]).run([np.ones(1, "float32")], None)
    tf.identity(session.graph.get_tensor_by_name("x:0") * 5, "five")
    program = Program(session, ["x:0"], ["five:0"])
    assert float(program.run([np.ones(1, "float32")], None)[0][0]) == 5.0


def test_as_many_runs_as_cores_stay_in_their_callers_threads(session, monkeypatch):
    counter, used = RunCounter(cores=2), []
    monkeypatch.setattr(program_module, "RUNS", counter)
    program = Program(session, ["x:0"], ["twice:0"])
    call = program._call
    monkeypatch.setattr(
        program, "_call", lambda arrays, options: (used.append(options), call(arrays, options))[1]
    )
    ones = [np.ones(1, "float32")]
    program.run(ones, None)
    with counter:
        program.run(ones, None)
        with counter:
            program.run(ones, None)
    in_pool, callers_thread = program_module.IN_POOL, program_module.IN_CALLERS_THREAD
    assert used == [in_pool, callers_thread, in_pool]


def test_a_deadline_that_has_passed_is_told(session):
    program = Program(session, ["x:0"], ["twice:0"])
    with pytest.raises(ServingError, match="deadline") as caught:
        program.run([np.ones(1, "float32")], 0.0)
    assert caught.value.code == Code.DEADLINE_EXCEEDED
