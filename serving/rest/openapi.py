"""The OpenAPI document of the loaded signatures, and whether the server is ready."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tensorflow.core.framework import types_pb2

from serving.engine import Engine
from serving.lifecycle.version import ModelVersion
from serving.models.signatures import Signature, TensorInfo
from serving.rest.routes import Answer

INTEGERS = {
    types_pb2.DT_INT8, types_pb2.DT_UINT8, types_pb2.DT_INT16, types_pb2.DT_UINT16,
    types_pb2.DT_INT32, types_pb2.DT_UINT32, types_pb2.DT_INT64, types_pb2.DT_UINT64,
}  # fmt: skip


def readiness(serving: bool, missing: list[str], reasons: Mapping[str, str]) -> Answer:
    """The answer of /v1/health/ready: 200 or 503, with the models that are not available."""
    ready = serving and not missing
    content = {
        "status": "ready" if ready else "not ready",
        "unavailable_models": missing,
        "reasons": dict(reasons),
    }
    return Answer(200 if ready else 503, (json.dumps(content) + "\n").encode())


def document(engine: Engine) -> bytes:
    """The OpenAPI 3 document of the models that are loaded now."""
    paths: dict[str, Any] = {"/v1/models": {"get": _operation("The models that are loaded")}}
    for version in sorted(engine.core.manager.loaded(), key=lambda v: v.name):
        paths |= _model_paths(version)
    content = {
        "openapi": "3.0.3",
        "info": {"title": "Model server", "version": "1"},
        "paths": paths,
    }
    return json.dumps(content, indent=2).encode()


def _model_paths(version: ModelVersion) -> dict[str, Any]:
    base = f"/v1/models/{version.name}"
    signatures = version.servable.signatures if version.servable is not None else {}
    usable = [s for s in signatures.values() if s.inputs]
    return {
        base: {"get": _operation(f"Status of every version of {version.name}")},
        f"{base}/metadata": {"get": _operation(f"Signatures of {version.name}")},
        f"{base}:predict": {"post": _predict(version, usable)},
    }


def _operation(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "OK"}}}


def _predict(version: ModelVersion, signatures: list[Signature]) -> dict[str, Any]:
    schemas = [_request_schema(signature) for signature in signatures]
    body = {"content": {"application/json": {"schema": {"oneOf": schemas}}}, "required": True}
    summary = f"Run a signature of {version.name}, version {version.version}"
    return {**_operation(summary), "requestBody": body}


def _request_schema(signature: Signature) -> dict[str, Any]:
    inputs = {alias: _tensor_schema(info) for alias, info in signature.inputs.items()}
    row = {alias: _tensor_schema(info, skip=1) for alias, info in signature.inputs.items()}
    return {
        "type": "object",
        "title": signature.key,
        "description": "Outputs: " + ", ".join(info.text for info in signature.outputs.values()),
        "properties": {
            "signature_name": {"type": "string", "enum": [signature.key]},
            "inputs": {"type": "object", "properties": inputs},
            "instances": {"type": "array", "items": {"type": "object", "properties": row}},
        },
    }


def _tensor_schema(info: TensorInfo, skip: int = 0) -> dict[str, Any]:
    """Nested arrays of the element's type; `skip` leaves out the batch dimension."""
    schema: dict[str, Any] = {"type": _json_type(info.dtype)}
    for size in reversed((info.shape or ())[skip:]):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def _json_type(dtype: int) -> str:
    if dtype == types_pb2.DT_STRING:
        return "string"
    if dtype == types_pb2.DT_BOOL:
        return "boolean"
    return "integer" if dtype in INTEGERS else "number"
