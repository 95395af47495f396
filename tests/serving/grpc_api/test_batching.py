"""Batching over gRPC: requests that share a run get their own answers, errors and deadlines."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving.batching.requests import run_batch
from serving.session.program import TIMED_OUT
from tests.serving.batching_server import SLOW, batching_server, counted
from tests.serving.conformance.conftest import eventually, predict_request


@contextlib.contextmanager
def start(models, tmp_path_factory, rows):
    with (
        batching_server(models, tmp_path_factory, rows=rows) as address,
        grpc.insecure_channel(address.grpc) as channel,
    ):
        yield address, prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    with start(models, tmp_path_factory, rows=32) as started:
        yield started


@pytest.fixture
def address(server):
    return server[0]


@pytest.fixture
def ask(server):
    """Predict; returns a future."""
    return lambda request, timeout=30.0: server[1].future(request, timeout=timeout)


def slow(ask, runs, steps=SLOW):
    """A request that keeps the only batch thread of its model busy for a while."""
    future = ask(predict_request("loop", steps=[steps]))
    assert eventually(lambda: runs)
    return future


def test_answers_of_shared_runs(ask, runs):
    for _ in range(3):
        futures = [ask(predict_request("half_plus_two", x=[float(i)] * (i % 3 + 1)))
                   for i in range(20)]  # fmt: skip
        for i, future in enumerate(futures):
            values = list(future.result().outputs["y"].float_val)
            assert values == [i / 2 + 2] * (i % 3 + 1)
    assert max(runs) > 1
    assert sum(runs) == 60


def test_strings_shapes_and_signatures_are_kept_apart(ask):
    for _ in range(3):
        texts = [b" ".join([b"cat"] * i) for i in range(10)]
        scores = [ask(predict_request("text", "score", text=[text])) for text in texts]
        words = [ask(predict_request("text", "next_word", text=[text])) for text in texts]
        some = [ask(_filtered(text)) for text in texts]
        for i in range(10):
            assert list(scores[i].result().outputs["tokens"].int_val) == [i + 1]
            assert next(iter(words[i].result().outputs["words"].string_val)) == (
                b"CAT" if i else b""
            )
            assert list(some[i].result().outputs) == ["oov"]


def _filtered(text):
    request = predict_request("text", "score", text=[text])
    request.output_filter.append("oov")
    return request


def test_a_bad_request_fails_alone(ask, runs):
    def example(text):
        return predict_request("half_plus_two", "regress_x_to_y", inputs=[text])

    good = tf.train.Example()
    good.features.feature["x"].float_list.value.append(2.0)
    sent = [b"\x00nonsense" if i % 5 == 2 else good.SerializeToString() for i in range(10)]
    for turn in range(20):
        if turn > 1 and max(runs) > 1:
            break
        futures = [ask(example(text)) for text in sent]
        for i, future in enumerate(futures):
            if i % 5 == 2:
                assert future.code() == grpc.StatusCode.INVALID_ARGUMENT
            else:
                assert list(future.result().outputs["outputs"].float_val) == [3.0]
    assert max(runs) > 1


def test_refusals_before_the_run(ask):
    many = ask(predict_request("half_plus_two", x=[1.0] * 33))
    assert many.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert many.details() == "Task size 33 is larger than maximum input batch size 32"
    unknown = ask(predict_request("half_plus_two", z=[1.0]))
    assert unknown.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert ask(predict_request("nobody", x=[1.0])).code() == grpc.StatusCode.NOT_FOUND


def test_a_deadline_passes_while_a_request_waits(ask, address, runs):
    first = slow(ask, runs)

    def ended() -> float:  # a client whose deadline passes also cancels: either may come first
        return sum(counted(address, "loop", s) for s in ("DEADLINE_EXCEEDED", "CANCELLED"))

    before = ended()
    started = time.monotonic()
    late = ask(predict_request("loop", steps=[1]), timeout=0.2)
    assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1.5
    assert not first.done()
    assert eventually(lambda: ended() == before + 1)
    assert first.result().outputs["steps"].int_val
    assert runs == [1]


def test_a_deadline_that_passed_leaves_a_request_out_of_the_batch():
    class Late:
        deadline = time.monotonic() - 1

        def fail(self, error):
            self.error = error

    pending = Late()
    run_batch([pending], alone=True)
    assert pending.error.message == TIMED_OUT


def test_a_cancelled_request_leaves_its_batch(ask, address, runs):
    first = slow(ask, runs)
    before = counted(address, "loop", "CANCELLED")
    gone = ask(predict_request("loop", steps=[1]))
    kept = ask(predict_request("loop", steps=[2]))
    time.sleep(0.3)
    gone.cancel()
    assert eventually(lambda: counted(address, "loop", "CANCELLED") == before + 1)
    assert list(kept.result().outputs["steps"].int_val) == [2]
    assert first.result()
    assert runs == [1, 1]


def test_others_are_answered_while_a_model_is_slow(ask, address, runs):
    first = slow(ask, runs)
    with grpc.insecure_channel(address.grpc) as channel:
        status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "loop"
        assert status(request, timeout=5).model_version_status[0].version == 123
    assert ask(predict_request("half_plus_two", x=[2.0])).result().outputs["y"].float_val == [3.0]
    assert not first.done()
    assert first.result()


def test_large_requests_wait_in_threads(ask):
    values = [float(i) for i in range(30_000)]
    answer = ask(predict_request("types", "float32", x=values[:32])).result()
    assert list(answer.outputs["y"].float_val) == values[:32]
    request = predict_request("types", "float32", x=values)
    tensor_shape = request.inputs["x"].tensor_shape
    del tensor_shape.dim[:]
    for size in (1, len(values)):
        tensor_shape.dim.add(size=size)
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda _: ask(request).result(), range(4)):
            assert list(answer.outputs["y"].float_val) == values


def test_a_full_queue_is_unavailable(models, tmp_path_factory):
    with start(models, tmp_path_factory, rows=1) as (_, predict):
        request = predict_request("loop", steps=[SLOW // 8])
        codes = {f.code() for f in [predict.future(request, timeout=60) for _ in range(10)]}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}


def test_a_version_is_not_unloaded_while_requests_wait(models, tmp_path_factory):
    with start(models, tmp_path_factory, rows=32) as (address, predict):
        futures = []
        for steps in (SLOW, 5, 6):
            futures.append(predict.future(predict_request("loop", steps=[steps]), timeout=60))
            time.sleep(0.1)
        # By way of the source: one that goes on watching would ask for the version again.
        address.server.core.source.update({})
        steps = [list(f.result().outputs["steps"].int_val) for f in futures]
        assert steps == [[SLOW], [5], [6]]
        assert eventually(lambda: address.server.manager.status("loop")[0].state.name == "END")


def test_a_stop_answers_what_waits(models, tmp_path_factory):
    with start(models, tmp_path_factory, rows=32) as (address, predict):
        futures = []
        for steps in (SLOW, 5):
            futures.append(predict.future(predict_request("loop", steps=[steps]), timeout=60))
            time.sleep(0.1)
        address.server.stop()
        assert [f.code() for f in futures] == [grpc.StatusCode.OK] * 2
