"""Batching: what is run together, what is refused, and that answers do not depend on it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving.codec import protos
from serving.config import files as config
from serving.errors import Code, ServingError
from serving.models import loader
from serving.options import parse
from serving.session.lone_requests import LoneRequestDetector


def parameters(**fields):
    made = protos.BatchingParameters()
    for name, value in fields.items():
        getattr(made, name).value = value
    return config.with_batching_defaults(made)


@pytest.fixture(scope="module")
def load(models):
    """Loads a test model with batching; closed at the end."""
    servables = []

    def call(name, **fields):
        options = loader.load_options(parse([]), parameters(**fields))
        (path,) = (models / name).iterdir()
        servable = loader.load(name, 1, str(path), options)
        servable.sizes = recorded_sizes(servable.runner)
        servables.append(servable)
        return servable

    yield call
    for servable in servables:
        servable.close()


def run(servable, key, *arrays, deadline=None):
    signature = servable.signatures[key]
    return servable.runner.run(
        signature.feeds, arrays, signature.fetches(signature.outputs), deadline
    )


def together(servable, key, requests):
    """Run requests in threads that all start at once."""
    barrier = threading.Barrier(len(requests))
    servable.runner._lone_requests._quiet_seconds = 1e9
    servable.runner._lone_requests._last_concurrent = 0.0

    def one(arrays):
        barrier.wait()
        return run(servable, key, *arrays)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(one, requests))


def recorded_sizes(runner):
    """The requests of each batch that a runner starts from now on."""
    sizes, run = [], runner._shared.run
    runner._shared.run = lambda ends, requests: (sizes.append(len(requests)), run(ends, requests))[
        1
    ]
    return sizes


@pytest.mark.parametrize("name", ["half_plus_two", "half_plus_three"])
def test_a_tf1_model_with_reference_variables_is_batched(load, name):
    servable = load(name, max_batch_size=8, batch_timeout_micros=200_000)
    plus = 2.0 if name == "half_plus_two" else 3.0
    requests = [(np.float32([[i]]),) for i in range(8)]
    answers = together(servable, "serving_default", requests)
    assert [answer[0].tolist() for answer in answers] == [[[i / 2 + plus]] for i in range(8)]
    assert servable.sizes == [8]


def test_strings_tables_and_several_outputs_are_batched(load):
    servable = load("text", max_batch_size=16, batch_timeout_micros=100_000)
    texts = [b"the cat", b"", b"the dog is small", b"a b c d e f g"] * 4
    requests = [(np.array([text], object),) for text in texts]
    answers = together(servable, "score", requests)
    unbatched = load("text")
    plain = [run(unbatched, "score", *arrays) for arrays in requests]
    for answer, expected in zip(answers, plain, strict=True):
        for got, want in zip(answer, expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_requests_of_several_rows_get_their_own_rows(load):
    servable = load("types", max_batch_size=64, batch_timeout_micros=100_000)
    rng = np.random.default_rng(1)
    requests = [(rng.normal(size=n).astype(np.float32),) * 2 for n in (1, 5, 2, 9)]
    answers = together(servable, "serving_default", requests)
    for (difference, total), (a, b) in zip(answers, requests, strict=True):
        np.testing.assert_array_equal(difference, a - b)
        np.testing.assert_array_equal(total, a + b)


def test_different_inner_shapes_are_not_mixed_or_padded(load):
    servable = load("types", max_batch_size=8, batch_timeout_micros=1000)
    requests = [(np.full((1, n), n, np.float32),) for n in (2, 3, 2, 3)]
    answers = together(servable, "float32", requests)
    assert [answer[0].shape for answer in answers] == [(1, 2), (1, 3), (1, 2), (1, 3)]


def test_refusals_name_the_limit(load):
    servable = load("types", max_batch_size=4)
    with pytest.raises(ServingError) as error:
        run(servable, "float32", np.zeros(5, np.float32))
    assert str(error.value) == (
        "INVALID_ARGUMENT: Task size 5 is larger than maximum input batch size 4"
    )


def test_scalars_and_unequal_rows_are_run_by_themselves(load):
    servable = load("types", max_batch_size=4, batch_timeout_micros=60_000_000)
    requests = [(np.float32(i),) for i in range(4)]
    answers = together(servable, "float32", requests)
    assert [answer[0] for answer in answers] == [0.0, 1.0, 2.0, 3.0]
    requests = [(np.full(1, i, np.float32), np.zeros(3, np.float32)) for i in range(4)]
    answers = together(servable, "serving_default", requests)
    assert [answer[0].tolist() for answer in answers] == [[i] * 3 for i in range(4)]
    assert not servable.sizes


def test_a_large_request_is_split_when_asked(load):
    servable = load(
        "half_plus_two",
        max_batch_size=8,
        max_execution_batch_size=2,
        enable_large_batch_splitting=True,
    )
    values = np.arange(8, dtype=np.float32)[:, None]
    answers = together(servable, "serving_default", [(values,)] * 2)
    for (got,) in answers:
        np.testing.assert_array_equal(got, values / 2 + 2)


def test_a_full_queue_is_unavailable(load):
    servable = load(
        "loop",
        max_batch_size=1,
        max_enqueued_batches=1,
        num_batch_threads=1,
        batch_timeout_micros=0,
    )
    work = [(np.int32([20_000]),)] * 12
    servable.runner._lone_requests._quiet_seconds = 1e9
    servable.runner._lone_requests._last_concurrent = 0.0

    def one(arrays):
        try:
            run(servable, "serving_default", *arrays)
        except ServingError as error:
            return error.code
        return 0

    with ThreadPoolExecutor(len(work)) as pool:
        codes = list(pool.map(one, work))
    assert set(codes) == {0, Code.UNAVAILABLE}


def test_a_lone_request_does_not_wait_for_a_batch(load):
    servable = load("half_plus_two", max_batch_size=8, batch_timeout_micros=60_000_000)
    assert run(servable, "serving_default", np.float32([[2]]))[0].tolist() == [[3.0]]
    assert not servable.sizes


def test_concurrent_requests_are_remembered_for_a_while():
    detector = LoneRequestDetector(quiet_seconds=1e9)
    with detector as first, detector as second:
        assert (first, second) == (True, False)
    with detector as third:
        assert not third


@pytest.mark.parametrize(
    ("sizes", "message"),
    [([4, 2], "increasing order"), ([2, 4], "must match max_batch_size; last was 4; expected 8")],
)
def test_allowed_batch_sizes_are_checked(sizes, message):
    made = protos.BatchingParameters(allowed_batch_sizes=sizes)
    made.max_batch_size.value = 8
    with pytest.raises(ServingError, match=message):
        config.with_batching_defaults(made)


def test_allowed_batch_sizes_pad_and_cut_back(load, models):
    made = protos.BatchingParameters(allowed_batch_sizes=[4, 8])
    made.max_batch_size.value = 8
    made.batch_timeout_micros.value = 50_000
    options = loader.load_options(parse([]), config.with_batching_defaults(made))
    (path,) = (models / "half_plus_two").iterdir()
    servable = loader.load("half_plus_two", 1, str(path), options)
    answers = together(servable, "serving_default", [(np.float32([[i]]),) for i in range(3)])
    assert [answer[0].tolist() for answer in answers] == [[[2.0]], [[2.5]], [[3.0]]]
    servable.close()
