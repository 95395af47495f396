"""A request is answered with its outputs or an error, once, whatever happens to its batch."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.batching import requests
from serving.monitoring.request_log import Record, RequestLog
from tests.serving.batching_server import PARAMETERS
from tests.serving.conformance.conftest import eventually, predict_request
from tests.serving.running import running
from tests.serving.web import post

FULL_DISK = "/dev/full"


def flags(models, folder, batching):
    if not batching:
        return [f"--model_config_file={models}/models.config"]
    path = folder / "batching.config"
    path.write_text(PARAMETERS.format(rows=32))
    return [
        *flags(models, folder, False),
        "--enable_batching",
        f"--batching_parameters_file={path}",
    ]


def ask_both(address, count):
    """Predict over both interfaces at once: the values, or the statuses of those that failed."""

    def one(i):
        if i % 2:
            answer = post(address.rest, "/v1/models/half_plus_two:predict", {"instances": [i]})
            return answer.json["predictions"] if answer.status == 200 else answer.status
        try:
            answer = predict(predict_request("half_plus_two", x=[float(i)]), timeout=30)
        except grpc.RpcError as error:
            return error.code()
        return list(answer.outputs["y"].float_val)

    with (
        grpc.insecure_channel(address.grpc) as channel,
        ThreadPoolExecutor(8) as pool,
    ):
        predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        return list(pool.map(one, range(count)))


def unloads(address):
    address.server.core.source.update({})
    manager = address.server.manager
    return eventually(lambda: manager.status("half_plus_two")[0].state.name == "END")


@pytest.mark.parametrize("batching", [True, False])
def test_a_full_log_disk_costs_lines_and_no_answer(models, tmp_path, caplog, batching):
    arguments = flags(models, tmp_path, batching)
    with running(*arguments, f"--request_log={FULL_DISK}") as address:
        assert ask_both(address, 40) == [[i / 2 + 2] for i in range(40)]
        assert address.server.metrics.log_lost_count.total() == 40
        assert unloads(address)
    said = [r for r in caplog.records if FULL_DISK in r.getMessage()]
    assert len(said) == 1


@pytest.mark.parametrize("caught", [ValueError, SystemExit, KeyboardInterrupt])
def test_whatever_leaves_a_batchs_run_is_an_error_for_each(models, tmp_path, monkeypatch, caught):
    def broken(*_):
        raise caught("broken")

    with running(*flags(models, tmp_path, True)) as address:
        with monkeypatch.context() as patch:
            patch.setattr(requests, "_still_wanted", broken)
            answers = ask_both(address, 8)
        assert answers == [grpc.StatusCode.INTERNAL, 500] * 4
        assert ask_both(address, 8) == [[i / 2 + 2] for i in range(8)]
        assert unloads(address)


def test_a_log_that_can_be_written_again_goes_on(tmp_path, caplog):
    log = RequestLog(str(tmp_path / "log"))
    record = Record("GRPC", "Predict", "m", 1, "", "OK", "a lone \ud800 surrogate", 0.1)
    log.write(record)
    record = replace(record, message="a full disk")
    file = log._common
    with caplog.at_level(logging.WARNING), open(FULL_DISK, "w") as full:
        log._common = full
        assert [log.write(record).lost for _ in range(3)] == [1] * 3
        log._common = file
        assert log.write(record).lost == 0
        log.close()
        with pytest.raises(OSError, match="No space"):
            full.close()
    assert len(caplog.records) == 1
    assert len((tmp_path / "log").read_text().splitlines()) == 2
