"""What is told about models: a version's signatures, the states of versions."""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from serving.errors import invalid_argument, not_found
from serving.lifecycle.manager import Manager
from serving.lifecycle.version import ModelVersion, State
from serving.models.servable import Servable

SIGNATURE_FIELD = "signature_def"


def named_version(spec: model_pb2.ModelSpec) -> tuple[str, int | None, str | None]:
    """Name, version and label of a ModelSpec."""
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    version = spec.version.value if choice == "version" else None
    return spec.name, version, spec.version_label if choice == "version_label" else None


def metadata(
    manager: Manager, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """A GetModelMetadataResponse with the signatures of a version."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for name in request.metadata_field:
        if name != SIGNATURE_FIELD:
            raise invalid_argument(f"Metadata field {name} is not supported")
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    version = manager.acquire(*named_version(request.model_spec))
    try:
        response.model_spec.name = version.name
        response.model_spec.version.value = version.version
        response.metadata[SIGNATURE_FIELD].Pack(_signature_map(version.loaded))
    finally:
        version.release()
    return response


def _signature_map(servable: Servable) -> get_model_metadata_pb2.SignatureDefMap:
    """A version's SignatureDefs by key."""
    table = get_model_metadata_pb2.SignatureDefMap()
    for key, signature in servable.signatures.items():
        table.signature_def[key].CopyFrom(signature.definition)
    return table


def listing(manager: Manager) -> list[dict[str, Any]]:
    """Every model with an available version: its versions, labels, and the newest's signatures."""
    found = []
    for newest in sorted(manager.loaded(), key=lambda version: version.name):
        signatures = newest.servable.signatures if newest.servable is not None else {}
        usable = sorted(key for key, signature in signatures.items() if signature.inputs)
        versions = _versions(manager, newest.name)
        found.append({"name": newest.name, "versions": versions, "signatures": usable})
    return found


def _versions(manager: Manager, name: str) -> list[dict[str, Any]]:
    labels = manager.labels(name).items()
    return [
        {"version": str(number), "labels": sorted(label for label, n in labels if n == number)}
        for number in manager.available(name)
    ]


def status(
    manager: Manager, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """A GetModelStatusResponse: every version of a model, or the one asked for."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    entries = manager.status(spec.name)
    if spec.WhichOneof("version_choice") == "version":
        version = spec.version.value
        entries = [entry for entry in entries if entry.version == version]
        if not entries:
            raise not_found(f"Could not find version {version} of model {spec.name}")
    if not entries:
        raise not_found(f"Could not find any versions of model {spec.name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for entry in entries:
        _add_status(response, entry)
    return response


def _add_status(
    response: get_model_status_pb2.GetModelStatusResponse, version: ModelVersion
) -> None:
    status = response.model_version_status.add(version=version.version, state=int(version.state))
    # LOADING shows no error while a failed load is being tried again.
    if version.error is not None and version.state is State.END:
        status.status.error_code = int(version.error.code)
        status.status.error_message = version.error.message
    else:
        status.status.SetInParent()
