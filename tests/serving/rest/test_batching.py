"""Batching over REST: requests that share a run get their own answers, errors and time limits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving.batching_server import SLOW, batching_server, counted
from tests.serving.conformance.conftest import eventually
from tests.serving.web import post


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    with batching_server(models, tmp_path_factory) as address:
        yield address


def predict(address, model, document):
    return post(address.rest, f"/v1/models/{model}:predict", document)


def all_at_once(address, model, documents):
    with ThreadPoolExecutor(len(documents)) as pool:
        return list(pool.map(lambda document: predict(address, model, document), documents))


def test_rows_and_columns_share_runs_and_keep_their_forms(server, runs):
    documents = [
        {"instances": [float(i)]} if i % 2 else {"inputs": [float(i)], "signature_name": ""}
        for i in range(20)
    ]
    for _ in range(3):
        for i, answer in enumerate(all_at_once(server, "half_plus_two", documents)):
            assert answer.status == 200
            assert answer.json == {("predictions" if i % 2 else "outputs"): [i / 2 + 2]}
    assert max(runs) > 1
    assert sum(runs) == 60


def test_refusals_do_not_touch_the_others(server, runs):
    good, wrong, nobody = {"instances": [1.0]}, {"instances": ["a"]}, {"inputs": {"z": [1.0]}}
    answers = all_at_once(server, "half_plus_two", [good, wrong, good, nobody, good] * 3)
    for i, answer in enumerate(answers):
        assert answer.status == (200 if i % 5 in (0, 2, 4) else 400), answer.json
    assert sum(runs) == 9
    assert predict(server, "nobody", good).status == 404
    assert post(server.rest, "/v1/models/nobody:predict", "{").status == 400


def test_other_verbs_go_on(server):
    examples = {"examples": [{"x": 2.0}], "signature_name": "regress_x_to_y"}
    answer = post(server.rest, "/v1/models/half_plus_two:regress", examples)
    assert answer.json == {"results": [3.0]}


def test_large_bodies_wait_in_threads(server, runs):
    values = [float(i) for i in range(5000)]
    document = {"signature_name": "float32", "inputs": [values]}
    assert predict(server, "types", document).json["outputs"] == [values]
    assert runs == []


def test_a_time_limit_ends_a_run_and_the_next_one_starts(models, tmp_path_factory, runs):
    with batching_server(models, tmp_path_factory, "--rest_api_timeout_in_ms=300") as address:
        with ThreadPoolExecutor(1) as pool:
            started = time.monotonic()
            first = pool.submit(predict, address, "loop", {"instances": [SLOW]})
            assert eventually(lambda: runs)
            late = predict(address, "loop", {"instances": [1]})
            assert first.result().status == 504
            assert time.monotonic() - started < 3
        assert late.status in (200, 504)  # as the first run ends before or after its own limit
        assert predict(address, "loop", {"instances": [2]}).json["predictions"][0]["steps"] == 2
        assert eventually(lambda: counted(address, "loop", "DEADLINE_EXCEEDED") >= 1)
