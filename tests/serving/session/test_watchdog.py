"""A run that nobody waits for ends, though its outputs were fast before, and others do not."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving.errors import Code, from_exception
from serving.models import loader
from serving.options import parse
from serving.session.callers import Caller, Together, on_behalf_of
from serving.session.program import timed
from serving.session.threads import RunCounter
from serving.session.verdicts import Ends
from serving.session.watchdog import WATCHDOG
from tests.serving.conformance.conftest import eventually
from tests.serving.session.test_sharing import parameters
from zoo.processors import usable_cores

ENDLESS = 2_000_000_000
PATIENCE = 20.0  # a machine with other work on it restores a session in less


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(WATCHDOG, "interval", 0.02)
    monkeypatch.setattr(WATCHDOG, "grace", 0.3)
    # Each run in its caller's thread, where TensorFlow's own timeouts do not act.
    monkeypatch.setattr("serving.session.program.RUNS", RunCounter(cores=64))


@pytest.fixture
def servable(models, soon, request):
    """The model of loops, whose short runs are fast."""
    batching = parameters(**request.param) if hasattr(request, "param") else None
    (path,) = (models / "loop").iterdir()
    loaded = loader.load("loop", 1, str(path), loader.load_options(parse([]), batching))
    for _ in range(3):
        run(loaded, 1)
    for program in loaded.runner.programs._programs.values():
        program._choice.in_pool, program._choice._seconds = False, None
        program._slowest = 0.001
    yield loaded
    loaded.close()


def run(servable, steps, deadline=None):
    signature = servable.signatures["serving_default"]
    fetches = signature.fetches(["steps"])
    return servable.runner.run(signature.feeds, [np.int32([steps])], fetches, deadline)


def code(work, *args):
    """How a call ends, and after how long."""
    started = time.monotonic()
    try:
        work(*args)
    except Exception as error:
        return from_exception(error).code, time.monotonic() - started
    return Code.OK, time.monotonic() - started


def test_a_fast_signature_is_cancelled_at_its_deadline(servable):
    ended, seconds = code(run, servable, ENDLESS, time.monotonic() + 0.5)
    assert ended is Code.DEADLINE_EXCEEDED
    assert 0.5 <= seconds < PATIENCE
    assert run(servable, 7)[0].tolist() == [7]


def test_the_next_such_run_costs_no_session(servable, monkeypatch):
    code(run, servable, ENDLESS, time.monotonic() + 0.3)
    monkeypatch.setattr(WATCHDOG, "grace", PATIENCE)  # TensorFlow's own timeout comes first
    programs = servable.runner.programs
    assert code(run, servable, ENDLESS, time.monotonic() + 0.3)[0] is Code.DEADLINE_EXCEEDED
    assert servable.runner.programs is programs


def test_other_runs_of_the_model_go_on(servable):
    with ThreadPoolExecutor(3) as pool:
        stuck = [pool.submit(code, run, servable, ENDLESS, time.monotonic() + 0.2)]
        wanted = [pool.submit(run, servable, 60_000 + i) for i in range(2)]
        assert [w.result()[0].tolist() for w in wanted] == [[60_000], [60_001]]
        assert stuck[0].result()[0] is Code.DEADLINE_EXCEEDED


def test_a_client_that_goes_frees_its_worker(servable):
    caller = Caller()
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(code, on_behalf_of, caller, run, servable, ENDLESS)
        time.sleep(0.1)
        assert not stuck.done()
        caller.gone = True
        assert stuck.result(PATIENCE)[0] is Code.CANCELLED


def test_runs_without_end_keep_no_version_from_being_loaded(models, servable):
    """Not even when they take every thread for operations."""
    cores = usable_cores()
    signature = servable.signatures["serving_default"]
    program = servable.runner.programs._make(Ends(signature.feeds, signature.fetches(["steps"])))
    until = time.monotonic() + 6.0
    with ThreadPoolExecutor(2 * cores) as pool:
        runs = [
            pool.submit(code, program._call, [np.int32([ENDLESS])], timed(until - time.monotonic()))
            for _ in range(2 * cores)
        ]
        time.sleep(0.2)
        (path,) = (models / "text").iterdir()
        loader.load("text", 1, str(path), loader.load_options(parse([]), None)).close()
        assert time.monotonic() < until
        for one in runs:
            assert one.result(PATIENCE)[0] is Code.DEADLINE_EXCEEDED


def test_a_version_that_is_unloaded_ends_such_a_run(servable):
    caller = Caller()
    caller.gone = True
    with ThreadPoolExecutor(1) as pool:
        servable.runner.retire()
        stuck = pool.submit(code, on_behalf_of, caller, run, servable, ENDLESS)
        assert stuck.result(PATIENCE)[0] is Code.CANCELLED


def test_files_that_were_replaced_are_not_served_in_their_place(models, soon, tmp_path, caplog):
    (path,) = (models / "loop").iterdir()
    copy = shutil.copytree(path, tmp_path / "1")
    loaded = loader.load("loop", 1, str(copy), loader.load_options(parse([]), None))
    run(loaded, 1)
    programs = loaded.runner.programs
    (copy / "new").write_text("")
    with ThreadPoolExecutor(1) as pool:
        caller = Caller()
        caller.gone = True
        stuck = pool.submit(code, on_behalf_of, caller, run, loaded, ENDLESS)
        assert eventually(lambda: "are not those that were loaded" in caplog.text)
        assert loaded.runner.programs is programs
        loaded.runner.abort()
        assert stuck.result(PATIENCE)[0] is Code.CANCELLED


BATCHED = {"max_batch_size": 4, "batch_timeout_micros": 50_000, "num_batch_threads": 2}


def trust(servable, checked):
    """Concurrent requests share runs at once; `checked`: and are run separately first."""
    servable.runner._lone_requests._last_concurrent = time.monotonic() + 1e6
    signature = servable.signatures["serving_default"]
    verdict = servable.runner.verdicts.of(Ends(signature.feeds, signature.fetches(["steps"])))
    verdict.probed, verdict._runs = True, 0 if checked else 1000


@pytest.mark.parametrize("servable", [BATCHED], indirect=True)
@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("leaves", [False, True])
def test_a_batch_goes_on_without_those_that_nobody_waits_for(
    servable, leaves, checked, monkeypatch
):
    """One of two clients leaves, or its deadline passes: the other has its answer soon."""
    monkeypatch.setattr(Together, "patience", 0.3)
    trust(servable, checked)
    barrier, caller = threading.Barrier(2), Caller()

    def bad():
        barrier.wait()
        deadline = None if leaves else time.monotonic() + 0.3
        return code(on_behalf_of, caller, run, servable, ENDLESS, deadline)

    def good():
        barrier.wait()
        time.sleep(0.01)
        return run(servable, 7)[0].tolist()

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(bad), pool.submit(good)]
        time.sleep(0.2)
        caller.gone = leaves
        assert ends[1].result(PATIENCE) == [7]
        assert ends[0].result(PATIENCE)[0] is (Code.CANCELLED if leaves else Code.DEADLINE_EXCEEDED)


@pytest.mark.parametrize("servable", [BATCHED], indirect=True)
def test_a_batch_ends_when_all_its_deadlines_have_passed(servable):
    """The requests of one batch; the later deadline counts."""
    trust(servable, checked=False)
    start = time.monotonic()
    barrier = threading.Barrier(2)

    def one(deadline):
        barrier.wait()
        return code(run, servable, ENDLESS, start + deadline)

    with ThreadPoolExecutor(2) as pool:
        first, last = pool.map(one, [0.5, 0.8])
    assert first[0] is last[0] is Code.DEADLINE_EXCEEDED
    assert last[1] < PATIENCE


def test_noting_a_run_takes_no_time():
    owner, count = object(), 20_000
    started = time.perf_counter()
    for _ in range(count):
        WATCHDOG.ended(WATCHDOG.started(owner, None, None))
    assert (time.perf_counter() - started) / count < 20e-6
