"""The server under test: an embedded one, or any that is named on the command line.

    pytest tests/serving/conformance --server grpc=HOST:PORT,rest=HOST:PORT \
        --models DIRECTORY [--server-models PATH_ON_SERVER]

The named server must serve DIRECTORY/models.config as `python -m tests.serving.models DIRECTORY`
writes it, polling the file system every second, with a monitoring config that enables
Prometheus. The tests add models below DIRECTORY.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving import web
from tests.serving.running import running

PATIENCE = 20.0
# The signatures of the model half_plus_two.
SIGNATURES = ("classify_labels", "classify_x_to_y", "regress_x_to_y", "serving_default")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("serving conformance")
    group.addoption("--server", help="grpc=HOST:PORT,rest=HOST:PORT of a running server")
    group.addoption("--models", help="the directory of models that the server serves")
    group.addoption("--server-models", help="that directory's path on the server")


@dataclass
class Target:
    """A server to test, by address."""

    address: str
    rest: str
    models: Path
    base: str
    embedded: bool

    def __post_init__(self) -> None:
        self.channel = grpc.insecure_channel(self.address)
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.management = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def missing(self, text: str, *names: str) -> str:
        """What is said of a name that a model does not have; ours goes on with those it has."""
        known = f"{text.rstrip('.')}. The model has: {', '.join(names)}."
        return known if self.embedded else text

    def get(self, path: str) -> web.Reply:
        return web.get(self.rest, path)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> web.Reply:
        return web.post(self.rest, path, body, headers)

    def predict(self, model: str, signature: str = "", **inputs: Any) -> Any:
        """Predict with float or bytes lists as inputs; raises grpc.RpcError."""
        return self.predictions.Predict(predict_request(model, signature, **inputs), timeout=20)

    def status(self, model: str, version: int | None = None) -> dict[int, str]:
        """The states of a model's versions by number, in the order they came."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        if version is not None:
            request.model_spec.version.value = version
        answer = self.management.GetModelStatus(request, timeout=20).model_version_status
        return {
            s.version: get_model_status_pb2.ModelVersionStatus.State.Name(s.state) for s in answer
        }

    def reload(self, *models: dict[str, Any], timeout: float = 30) -> Any:
        """HandleReloadConfigRequest with these models instead of the present ones."""
        request = model_management_pb2.ReloadConfigRequest()
        for fields in models:
            request.config.model_config_list.config.add(
                **{"model_platform": "tensorflow", **fields}
            )
        return self.management.HandleReloadConfigRequest(request, timeout=timeout)

    def configured(self, *extra: dict[str, Any]) -> list[dict[str, Any]]:
        """The models of models.config, and some more."""
        from tests.serving.models import CONFIGURED

        return [{"name": name, "base_path": f"{self.base}/{name}"} for name in CONFIGURED] + [
            *extra
        ]

    def copy(self, source: str, model: str, version: int) -> Path:
        """Make a version of a model appear at once, from a version of another."""
        (origin,) = (self.models / source).iterdir()
        target = self.models / model / str(version)
        hidden = self.models / model / f".{version}"
        shutil.copytree(origin, hidden)
        return hidden.rename(target)


def predict_request(model: str, signature: str = "", **inputs: Any) -> Any:
    """A PredictRequest with one-dimensional inputs."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, values in inputs.items():
        tensor = request.inputs[name]
        tensor.tensor_shape.dim.add(size=len(values))
        if values and isinstance(values[0], bytes):
            tensor.dtype = types_pb2.DT_STRING
            tensor.string_val.extend(values)
        elif values and isinstance(values[0], int):
            tensor.dtype = types_pb2.DT_INT32
            tensor.int_val.extend(values)
        else:
            tensor.dtype = types_pb2.DT_FLOAT
            tensor.float_val.extend(values)
    return request


def eventually(check: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.1)
    return check()


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Target]:
    """The server under test."""
    named = request.config.getoption("--server", default=None)
    if named:
        places = dict(part.split("=", 1) for part in named.split(","))
        models = Path(request.config.getoption("--models") or pytest.exit("--models is missing"))
        base = request.config.getoption("--server-models") or str(models)
        yield Target(places["grpc"], f"http://{places['rest']}", models, base, embedded=False)
        return
    models = request.getfixturevalue("models")
    monitoring = models / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    with running(
        f"--model_config_file={models / 'models.config'}",
        f"--monitoring_config_file={monitoring}",
        "--file_system_poll_wait_seconds=1",
        "--max_num_load_retries=0",
    ) as address:
        yield Target(address.grpc, address.rest, models, str(models), embedded=True)


@pytest.fixture
def original_models(target: Target) -> Iterator[Target]:
    """The server under test, put back to models.config afterwards."""
    yield target
    target.reload(*target.configured())


def code_and_details(error: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[grpc.StatusCode, str]:
    """What a refused call says."""
    return error.value.code(), error.value.details()


@pytest.fixture
def refused() -> Callable[..., tuple[grpc.StatusCode, str]]:
    """Calls something that must fail and returns the status code and the details."""

    def call(work: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.RpcError) as error:
            work(*args, **kwargs)
        return code_and_details(error)

    return call
