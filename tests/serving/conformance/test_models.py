"""Status, metadata, version policies, labels, reloads, and versions that come and go."""

from __future__ import annotations

import shutil
import uuid

import grpc
import pytest
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
)

from tests.serving.conformance.conftest import eventually, predict_request
from tests.serving.models import VERSION

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def latest(count):
    return {"model_version_policy": {"latest": {"num_versions": count}}}


def specific(*versions):
    return {"model_version_policy": {"specific": {"versions": list(versions)}}}


ALL = {"model_version_policy": {"all": {}}}


@pytest.fixture
def pair(original_models):
    """A model with versions 1 (plus two) and 2 (plus three), not yet configured."""
    target = original_models
    name = f"pair_{uuid.uuid4().hex[:8]}"
    (target.models / name).mkdir()
    target.copy("half_plus_two", name, 1)
    target.copy("half_plus_three", name, 2)
    yield target, {"name": name, "base_path": f"{target.base}/{name}"}
    shutil.rmtree(target.models / name)


def value(target, model, x=2.0, **spec):
    request = predict_request(model["name"], x=[x])
    for name, choice in spec.items():
        if name == "version":
            request.model_spec.version.value = choice
        else:
            request.model_spec.version_label = choice
    return target.predictions.Predict(request, timeout=20).outputs["y"].float_val[0]


# Status and metadata --------------------------------------------------------------------------


def test_status(target, refused):
    assert target.status("half_plus_two") == {VERSION: "AVAILABLE"}
    assert target.status("half_plus_two", VERSION) == {VERSION: "AVAILABLE"}
    code, details = refused(target.status, "nobody")
    assert code == grpc.StatusCode.NOT_FOUND
    assert details == "Could not find any versions of model nobody"
    code, details = refused(target.status, "half_plus_two", 9)
    assert details == "Could not find version 9 of model half_plus_two"
    empty = get_model_status_pb2.GetModelStatusRequest()
    code, details = refused(target.management.GetModelStatus, empty)
    assert (code, details) == (INVALID, "Missing ModelSpec")


def test_rest_status(target):
    expected = {
        "model_version_status": [
            {
                "version": str(VERSION),
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert target.get("/v1/models/half_plus_two").json == expected
    assert target.get(f"/v1/models/half_plus_two/versions/{VERSION}").json == expected
    assert target.get("/v1/models/nobody").status == 404


def test_metadata(target, refused):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    code, details = refused(target.predictions.GetModelMetadata, request)
    assert (code, details) == (INVALID, "Missing ModelSpec")
    request.model_spec.name = "half_plus_two"
    code, details = refused(target.predictions.GetModelMetadata, request)
    assert details == "GetModelMetadataRequest must specify at least one metadata_field"
    request.metadata_field.append("signature_def")
    answer = target.predictions.GetModelMetadata(request, timeout=20)
    assert answer.model_spec.version.value == VERSION
    table = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(table)
    assert table.signature_def["serving_default"].inputs["x"].name == "x:0"
    request.metadata_field[:] = ["other"]
    code, details = refused(target.predictions.GetModelMetadata, request)
    assert code == INVALID
    assert "other is not supported" in details


def test_rest_metadata(target):
    content = target.get("/v1/models/half_plus_two/metadata").json
    spec = {"name": "half_plus_two", "signature_name": "", "version": str(VERSION)}
    assert content["model_spec"] == spec
    table = content["metadata"]["signature_def"]["signature_def"]
    assert table["serving_default"]["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "name": "x:0",
        "tensor_shape": {
            "dim": [{"name": "", "size": "-1"}, {"name": "", "size": "1"}],
            "unknown_rank": False,
        },
    }
    assert table["classify_x_to_y"]["inputs"]["inputs"]["tensor_shape"] == {
        "dim": [],
        "unknown_rank": True,
    }


# Policies, labels, reloads ----------------------------------------------------------------------


def test_version_policies(pair):
    target, model = pair
    target.reload(*target.configured(model))
    assert target.status(model["name"]) == {2: "AVAILABLE"}
    assert value(target, model) == 4.0
    target.reload(*target.configured(model | ALL))
    assert eventually(lambda: target.status(model["name"]) == {2: "AVAILABLE", 1: "AVAILABLE"})
    assert list(target.status(model["name"])) == [2, 1]
    assert (value(target, model, version=1), value(target, model, version=2)) == (3.0, 4.0)
    target.reload(*target.configured(model | specific(1)))
    assert eventually(lambda: target.status(model["name"]) == {2: "END", 1: "AVAILABLE"})
    assert value(target, model) == 3.0
    target.reload(*target.configured(model | latest(2)))
    assert eventually(lambda: target.status(model["name"]) == {2: "AVAILABLE", 1: "AVAILABLE"})


def test_labels(pair, refused):
    target, model = pair
    target.reload(*target.configured(model | ALL))
    assert eventually(lambda: target.status(model["name"]) == {2: "AVAILABLE", 1: "AVAILABLE"})
    labels = {"version_labels": {"stable": 1, "canary": 2}}
    target.reload(*target.configured(model | ALL | labels))
    assert (value(target, model, label="stable"), value(target, model, label="canary")) == (
        3.0,
        4.0,
    )
    reply = target.post(f"/v1/models/{model['name']}/labels/stable:predict", {"instances": [2.0]})
    assert reply.json == {"predictions": [3.0]}
    code, details = refused(
        target.reload, *target.configured(model | ALL | {"version_labels": {"stable": 7}})
    )
    assert code == PRECONDITION
    assert "not currently available for inference" in details
    assert value(target, model, label="stable") == 3.0
    code, details = refused(value, target, model, label="old")
    text = "Unrecognized servable version label: old"
    assert (code, details) == (INVALID, target.missing(text, "canary", "stable"))
    reply = target.post(f"/v1/models/{model['name']}/labels/old:predict", {"instances": [2.0]})
    assert (reply.status, reply.error) == (400, details)
    target.reload(*target.configured(model | ALL))
    code, details = refused(value, target, model, label="stable")
    assert (code, details) == (INVALID, "Unrecognized servable version label: stable")


def test_a_reload_removes_models(pair, refused):
    target, model = pair
    target.reload(*target.configured(model))
    target.reload(*target.configured())
    assert eventually(lambda: target.status(model["name"]) == {2: "END"})
    code, details = refused(value, target, model)
    assert code == grpc.StatusCode.NOT_FOUND
    assert details == f"Servable not found for request: Latest({model['name']})"


def test_refused_reloads(pair, refused):
    target, model = pair
    code, details = refused(target.reload, *target.configured(model, model))
    assert (code, details) == (
        INVALID,
        f"Illegal to list model {model['name']} multiple times in config list",
    )
    code, details = refused(target.reload, *target.configured(model | {"base_path": "pair"}))
    assert code == INVALID
    assert details == (
        f"Expected model {model['name']} to have an absolute path or URI; got base_path()=pair"
    )
    target.reload(*target.configured(model))
    other = model | {"model_platform": "other"}
    code, details = refused(target.reload, *target.configured(other))
    assert code == INVALID
    assert f"Illegal to change a model's platform. For model {model['name']}" in details
    request = model_management_pb2.ReloadConfigRequest()
    request.config.custom_model_config.SetInParent()
    code, details = refused(target.management.HandleReloadConfigRequest, request)
    assert code == INVALID
    assert details.startswith("ServerModelConfig type not supported by HandleReloadConfigRequest.")
    assert value(target, model) == 4.0


def test_a_reload_that_cannot_load_says_so_and_ends(pair, refused):
    target, _ = pair
    if not target.embedded:
        return  # The original waits for ever.
    empty = {"name": "empty", "base_path": f"{target.base}/no_such_folder"}
    code, details = refused(target.reload, *target.configured(empty))
    assert code == grpc.StatusCode.UNKNOWN
    assert "1 model(s) did not become available" in details
    assert "Could not find base path" in details


def test_an_empty_reload_changes_nothing(target):
    request = model_management_pb2.ReloadConfigRequest()
    answer = target.management.HandleReloadConfigRequest(request, timeout=20)
    assert answer.status.error_code == 0
    assert target.status("half_plus_two") == {VERSION: "AVAILABLE"}


# Versions that come and go ----------------------------------------------------------------------


def test_new_versions_are_found_and_gone_ones_unloaded(pair):
    target, model = pair
    target.reload(*target.configured(model))
    target.copy("half_plus_two", model["name"], 3)
    assert eventually(lambda: target.status(model["name"]).get(3) == "AVAILABLE")
    assert eventually(lambda: target.status(model["name"]).get(2) == "END")
    assert value(target, model) == 3.0
    shutil.rmtree(target.models / model["name"] / "3")
    assert eventually(lambda: target.status(model["name"]).get(2) == "AVAILABLE")
    assert eventually(lambda: target.status(model["name"]).get(3) == "END")
    assert value(target, model) == 4.0


def test_a_version_that_fails_to_load_leaves_the_old_one(pair):
    target, model = pair
    target.reload(*target.configured(model))
    broken = target.models / model["name"] / "5"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"not a model")
    assert eventually(lambda: target.status(model["name"]).get(5) == "END")
    assert target.status(model["name"])[2] == "AVAILABLE"
    assert value(target, model) == 4.0
    shutil.rmtree(broken)
    target.copy("half_plus_two", model["name"], 5)
    assert eventually(lambda: target.status(model["name"]).get(5) == "AVAILABLE")
    assert value(target, model) == 3.0


def test_a_failed_version_shows_why(pair):
    target, model = pair
    target.reload(*target.configured(model))
    (target.models / model["name"] / "6").mkdir()
    assert eventually(lambda: target.status(model["name"]).get(6) == "END")
    reply = target.get(f"/v1/models/{model['name']}/versions/6")
    (status,) = reply.json["model_version_status"]
    assert reply.status == 200
    assert status["status"]["error_code"] == "NOT_FOUND"
    assert "Could not find SavedModel" in status["status"]["error_message"]
