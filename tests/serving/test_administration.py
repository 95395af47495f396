"""Reloads are all or nothing, write no file but below a folder, and come from this machine."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

from serving.access.administration import administration
from serving.errors import Code, ServingError
from serving.options import parse
from tests.serving import web
from tests.serving.running import running

INVALID = grpc.StatusCode.INVALID_ARGUMENT
HALF = {"instances": [2]}


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return tmp_path_factory.mktemp("administration") / "logs"


@pytest.fixture(scope="module")
def address(models, logs):
    logs.mkdir()
    base = f"--model_base_path={models}/half_plus_two"
    with running(base, "--model_name=m", f"--request_log_folder={logs}") as started:
        yield started


def config_of(models, **changes):
    """A request for the models that are there, one of them changed."""
    request = model_management_pb2.ReloadConfigRequest()
    model = request.config.model_config_list.config.add(
        name="m", base_path=f"{models}/half_plus_two", model_platform="tensorflow"
    )
    for name, value in changes.items():
        setattr(model, name, value)
    return request


def reload(address, request):
    """None, or the status code and the text of the refusal."""
    with grpc.insecure_channel(address.grpc) as channel:
        try:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            stub.HandleReloadConfigRequest(request, timeout=20)
        except grpc.RpcError as error:
            return error.code(), error.details()
    return None


def logged_to(request, prefix):
    logging = request.config.model_config_list.config[0].logging_config
    logging.log_collector_config.filename_prefix = str(prefix)
    logging.sampling_config.sampling_rate = 1.0
    return request


def unknown_field(models):
    request = model_management_pb2.ReloadConfigRequest()
    data = config_of(models).SerializeToString()
    request.ParseFromString(data)
    request.config.model_config_list.config[0].MergeFromString(b"\xf8\x7f\x01")
    return request


def twice(models):
    request = config_of(models)
    request.config.model_config_list.config.add().CopyFrom(
        request.config.model_config_list.config[0]
    )
    return request


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda models: config_of(models, base_path=f"{models}/a\0b"), "may hold a NUL"),
        (lambda models: config_of(models, name="n\0"), "may hold a NUL"),
        (lambda models: config_of(models, name=""), "needs a name"),
        (unknown_field, "fields that are not known here: 2047"),
        (twice, "multiple times"),
        (lambda models: logged_to(config_of(models), "../x"), "is not below"),
        (lambda models: logged_to(config_of(models), "/tmp/x"), "is not below"),
        (lambda models: logged_to(config_of(models), "a\0"), "no filename_prefix"),
        (lambda models: logged_to(config_of(models), "none/x"), "No such file"),
    ],
)
def test_what_is_refused_changes_nothing(address, models, make, said):
    before = address.server.core.config
    code, text = reload(address, make(models))
    assert code is INVALID
    assert said in text
    assert address.server.core.config is before
    address.server.core.source.poll()
    assert web.post(address.rest, "/v1/models/m:predict", HALF).json == {"predictions": [3.0]}


def test_no_log_of_a_model_is_a_fifo_or_a_link(address, models, logs, tmp_path):
    os.mkfifo(logs / "fifo.jsonl")
    (logs / "link.jsonl").symlink_to(tmp_path / "elsewhere")
    (logs / "folder").symlink_to(tmp_path)
    for prefix in ("fifo", "link", "folder/x"):
        code, _ = reload(address, logged_to(config_of(models), prefix))
        assert code is INVALID
    assert not (tmp_path / "elsewhere").exists()


def open_files(folder):
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    targets = [os.readlink(link) for link in links if os.path.lexists(link)]
    return [Path(target).name for target in targets if target.startswith(str(folder))]


def test_logs_that_no_model_has_any_more_are_closed(address, models, logs):
    for number in range(5):
        assert reload(address, logged_to(config_of(models), f"log{number}")) is None
        web.post(address.rest, "/v1/models/m:predict", HALF)
    assert open_files(logs) == ["log4.jsonl"]
    os.rename(logs / "log4.jsonl", logs / "rotated")
    address.server._log.reopen()
    web.post(address.rest, "/v1/models/m:predict", HALF)
    assert len((logs / "log4.jsonl").read_text().splitlines()) == 1
    assert reload(address, config_of(models)) is None
    assert open_files(logs) == []


def test_without_the_folder_there_are_no_such_logs(models, tmp_path):
    from serving.monitoring.request_log import RequestLog

    request = logged_to(config_of(models), tmp_path / "x")
    with pytest.raises(ServingError, match="--request_log_folder"):
        RequestLog().prepared(request.config)


def test_a_fifo_that_nobody_reads_is_told_at_the_start(tmp_path):
    from serving.monitoring.request_log import RequestLog

    os.mkfifo(tmp_path / "fifo")
    errors = []

    def make():
        try:
            RequestLog(str(tmp_path / "fifo"))
        except ServingError as error:
            errors.append(error.message)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    thread.join(10)
    assert "cannot write" in errors[0]


@pytest.mark.parametrize("flag", ["enable_reload_rpc", "enable_profiler"])
@pytest.mark.parametrize(
    ("given", "over_network", "over_sockets"),
    [
        (["--host=127.0.0.1"], True, True),
        (["--host=0.0.0.0"], False, True),
        (["--host=0.0.0.0", "--FLAG"], True, True),
        (["--host=127.0.0.1", "--FLAG=false"], False, False),
    ],
)
def test_from_where_administration_is_open(flag, given, over_network, over_sockets):
    flags = parse([argument.replace("FLAG", flag) for argument in given])
    found = administration(flags, flag)
    for peer, is_open in (("ipv4:10.0.0.7:5", over_network), ("unix:", over_sockets)):
        if is_open:
            found.check(peer)
        else:
            with pytest.raises(ServingError, match=f"--{flag}") as error:
                found.check(peer)
            assert error.value.code is Code.PERMISSION_DENIED


def test_a_server_for_others_takes_administration_from_its_socket_only(models, tmp_path):
    flags = ("--host=0.0.0.0", f"--grpc_socket_path={tmp_path}/s", "--model_name=m")
    with running(f"--model_base_path={models}/half_plus_two", *flags) as address:
        code, text = reload(address, config_of(models))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert "--enable_reload_rpc" in text
        with grpc.insecure_channel(address.grpc) as channel:
            with pytest.raises(grpc.RpcError) as error:
                channel.unary_unary("/tensorflow.ProfilerService/Monitor")(b"", timeout=5)
            assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED
        with grpc.insecure_channel(f"unix:{tmp_path}/s") as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            stub.HandleReloadConfigRequest(config_of(models), timeout=20)
