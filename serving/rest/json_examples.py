"""JSON bodies of classify and regress requests: features to tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from serving.errors import ServingError, invalid_argument
from serving.rest import json_body, json_values

KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
LARGEST_INT64 = (1 << 63) - 1


def fill_request(
    document: Mapping[str, Any],
    request: classification_pb2.ClassificationRequest | regression_pb2.RegressionRequest,
) -> None:
    """Fill a ClassificationRequest or RegressionRequest from its JSON body."""
    request.model_spec.signature_name = json_body.signature_name(document)
    target = request.input.example_list
    if "context" in document:
        target = request.input.example_list_with_context
        target.context.SetInParent()
        _fill_example(document["context"], target.context)
    for item in _examples(document):
        _fill_example(item, target.examples.add())


def _examples(document: Mapping[str, Any]) -> list[Any]:
    shown = f"JSON Value: {json_body.echo(document)}"
    if "examples" not in document:
        raise invalid_argument(
            f"{shown} When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise invalid_argument(f"{shown} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid_argument(f"{shown} 'examples' value is an empty array")
    return examples


def _fill_example(value: Any, example: example_pb2.Example) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(
            f"Example must be JSON object but got JSON {json_values.json_type(value)}"
        )
    for name, content in value.items():
        key = json_body.valid_text(name)
        feature = example.features.feature[key]
        for item in content if isinstance(content, list) else [content]:
            _add(feature, key, item)


def _add(feature: feature_pb2.Feature, name: str, value: Any) -> None:
    kind, converted = _converted(name, value)
    present = feature.WhichOneof("kind")
    if present not in (None, kind):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: {KINDS[present]}"
        )
    getattr(feature, kind).value.append(converted)


def _converted(name: str, value: Any) -> tuple[str, int | float | bytes]:
    """The feature list that a JSON value belongs to, and the value as stored there."""
    if isinstance(value, bool):
        return "int64_list", int(value)
    if isinstance(value, int):
        return "int64_list", _int64(name, value)
    if isinstance(value, float):
        return "float_list", float(json_values.array_of([value], 1)[0])
    if isinstance(value, str):
        return "bytes_list", json_values.text_bytes(value)
    if isinstance(value, dict) and list(value) == ["b64"]:
        return "bytes_list", json_values.base64_bytes(value)
    raise _unexpected(name, value)


def _int64(name: str, value: int) -> int:
    if value > LARGEST_INT64:
        raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
    if value < -LARGEST_INT64 - 1:
        raise _unexpected(name, value)
    return value


def _unexpected(name: str, value: Any) -> ServingError:
    return invalid_argument(
        f"Feature: {name} has element with unexpected JSON type: {json_values.json_type(value)}"
    )
