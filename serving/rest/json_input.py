"""JSON request bodies to arrays and tf.Examples, as strictly as TensorFlow Serving reads them."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2

from serving.codec import tensors
from serving.errors import Code, ServingError, invalid_argument
from serving.models.signatures import Slot

LONGEST_ECHO = 512
INT32 = range(-(1 << 31), 1 << 31)
RANGES = {
    types_pb2.DT_INT8: INT32,
    types_pb2.DT_UINT8: INT32,
    types_pb2.DT_INT16: INT32,
    types_pb2.DT_INT32: INT32,
    types_pb2.DT_UINT32: range(1 << 32),
    types_pb2.DT_INT64: range(-(1 << 63), 1 << 63),
    types_pb2.DT_UINT64: range(1 << 64),
}
# Largest whole number that the type holds exactly, and its largest value.
FLOATS = {
    types_pb2.DT_FLOAT: (float, "float", (1 << 24) - 1, float(np.finfo(np.float32).max)),
    types_pb2.DT_DOUBLE: (float, "double", (1 << 53) - 1, float(np.finfo(np.float64).max)),
}


class RaggedError(Exception):
    """Nested lists that are no tensor; the slow path finds the words for it."""


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body; what follows it is ignored.

    Raises:
        ServingError: INVALID_ARGUMENT, saying where it stops being JSON.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    text = body.decode("utf-8", "surrogateescape").lstrip(" \t\r\n\ufeff")
    if not text:
        raise invalid_argument("JSON Parse error: The document is empty. at offset: 0")
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        raise invalid_argument(
            f"JSON Parse error: Invalid value. at offset: {error.pos} ({error.msg})"
        ) from None
    except RecursionError:
        raise invalid_argument("JSON Parse error: nested too deeply") from None
    except ValueError as error:
        raise invalid_argument(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {echo(document)} Is not object")
    return document


def echo(value: Any) -> str:
    """A JSON value for an error message, cut where it is long."""
    try:
        text = json.dumps(value, indent=4, ensure_ascii=True)
    except (RecursionError, ValueError):
        return "(deeply nested)"
    return text if len(text) <= LONGEST_ECHO else text[:LONGEST_ECHO] + "..."


def signature_name(document: Mapping[str, Any]) -> str:
    """The request's `signature_name`, "" without one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {echo(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return valid_text(name)


def valid_text(text: str) -> str:
    """A text that can be part of a message; bytes that were not UTF-8 in the body cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid_argument("JSON Parse error: a name is not valid UTF-8") from None
    return text


def predict_inputs(
    document: Mapping[str, Any], slots: Mapping[str, Slot]
) -> tuple[dict[str, np.ndarray], bool]:
    """The arrays of a predict body, and whether it was in row form (`instances`)."""
    if not slots:
        raise invalid_argument("Failed to get input map for signature: the signature has no input")
    if "instances" in document and "inputs" in document:
        raise invalid_argument(
            f"JSON Value: {echo(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        return _rows(document, slots), True
    if "inputs" in document:
        return _columns(document["inputs"], slots), False
    raise invalid_argument("Missing 'inputs' or 'instances' key")


# Row form -------------------------------------------------------------------------------------


def _rows(document: Mapping[str, Any], slots: Mapping[str, Slot]) -> dict[str, np.ndarray]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid_argument(
            f"JSON Value: {echo(document)} Excepting 'instances' to be an list/array"
        )
    if not instances:
        raise invalid_argument(f"JSON Value: {echo(document)} No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(slots) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    if _is_named(instances[0]):
        return _named_rows(instances, slots)
    for index, item in enumerate(instances):
        if _is_named(item):
            raise invalid_argument(
                f"Expecting value/list but got object at item {index} of input list"
            )
    name, slot = next(iter(slots.items()))
    return {name: _stacked(instances, slot, "")}


def _named_rows(instances: list[Any], slots: Mapping[str, Slot]) -> dict[str, np.ndarray]:
    wanted = slots.keys()
    for index, item in enumerate(instances):
        if not _is_named(item):
            raise invalid_argument(f"Expecting object but got list at item {index} of input list")
        unknown = next((name for name in item if name not in wanted), None)
        if unknown is not None:
            raise invalid_argument(
                f"Failed to process element: {index} key: {unknown} of 'instances' list. Error: "
                f"INVALID_ARGUMENT: JSON object: does not have named input: {unknown}"
            )
        if item.keys() != wanted:
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{echo(item)} keys must be equal to: {','.join(wanted)}"
            )
    return {
        name: _stacked(
            [item[name] for item in instances],
            slot,
            f" key: {name}",
        )
        for name, slot in slots.items()
    }


def _stacked(values: list[Any], slot: Slot, key: str) -> np.ndarray:
    """Rows of one shape as one array; the message of the first bad row when they are not."""
    try:
        return array_of(values, slot.dtype)
    except (RaggedError, ServingError):
        pass
    first: tuple[int, ...] | None = None
    for index, value in enumerate(values):
        try:
            shape = checked_array(value, slot.dtype).shape
            if first is None:
                first = shape
            _same_shape(first, shape)
        except ServingError as error:
            if error.code is Code.UNIMPLEMENTED:
                raise
            raise invalid_argument(
                f"Failed to process element: {index}{key} of 'instances' list. Error: {error}"
            ) from None
    raise invalid_argument("instances cannot be made one tensor")


def _same_shape(first: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if math.prod(first) != math.prod(shape):
        raise invalid_argument(
            f"Expecting tensor size: {math.prod(first)} but got: {math.prod(shape)}"
        )
    if first != shape:
        raise invalid_argument(f"Expecting shape {_list(first)} but got: {_list(shape)}")


def _list(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


# Column form ----------------------------------------------------------------------------------


def _columns(value: Any, slots: Mapping[str, Slot]) -> dict[str, np.ndarray]:
    if _is_named(value):
        missing = next((name for name in slots if name not in value), None)
        if missing is not None:
            raise invalid_argument(f"Missing named input: {missing} in 'inputs' object.")
        return {name: checked_array(value[name], slot.dtype) for name, slot in slots.items()}
    if len(slots) > 1:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map"
        )
    name, slot = next(iter(slots.items()))
    return {name: checked_array(value, slot.dtype)}


# Values ---------------------------------------------------------------------------------------


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def checked_array(value: Any, dtype: int) -> np.ndarray:
    """`array_of`, with the exact words for what does not fit."""
    try:
        return array_of(value, dtype)
    except RaggedError:
        shape: list[int] = []
        inner = value
        while isinstance(inner, list):
            shape.append(len(inner))
            inner = inner[0] if inner else None
        _explain(value, 0, shape)
        raise invalid_argument("value is not a tensor") from None


def _explain(value: Any, level: int, shape: list[int]) -> None:
    """Raise what is wrong with nested lists at the first place that does not fit `shape`."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid_argument(
                f"JSON Value: {echo(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        return
    if level >= len(shape):
        raise invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for item in value:
        _explain(item, level + 1, shape)


def array_of(value: Any, dtype: int) -> np.ndarray:
    """Nested lists as an array of a type.

    Raises:
        RaggedError: the lists have no common shape.
        ServingError: a value does not belong to the type.
    """
    flat, shape = [value], []
    while flat and isinstance(flat[0], list):
        size = len(flat[0])
        if any(not isinstance(item, list) or len(item) != size for item in flat):
            raise RaggedError
        shape.append(size)
        flat = list(chain.from_iterable(flat))
    if list in set(map(type, flat)):
        raise RaggedError
    return _typed(flat, dtype).reshape(shape)


def _typed(flat: list[Any], dtype: int) -> np.ndarray:
    if dtype == types_pb2.DT_STRING:
        return _strings(flat)
    if dtype in FLOATS:
        return _floats(flat, dtype)
    if dtype in RANGES:
        return _integers(flat, dtype)
    if dtype == types_pb2.DT_BOOL:
        _only(flat, {bool}, dtype)
        return np.array(flat, np.bool_)
    raise ServingError(
        Code.UNIMPLEMENTED,
        f"Conversion of JSON Value: {echo(flat[0] if flat else None)} to type: "
        f"{tensors.type_name(dtype)}",
    )


def _only(flat: list[Any], allowed: set[type], dtype: int) -> None:
    if set(map(type, flat)) <= allowed:
        return
    wrong = next(value for value in flat if type(value) not in allowed)
    raise _type_error(wrong, dtype)


def _type_error(value: Any, dtype: int) -> ServingError:
    return invalid_argument(
        f"JSON Value: {echo(value)} Type: {json_type(value)} is not of expected type: "
        f"{tensors.type_name(dtype)}"
    )


def json_type(value: Any) -> str:
    """RapidJSON's name of a value's type."""
    if isinstance(value, bool):
        return str(value)
    names = {type(None): "Null", dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")


def _floats(flat: list[Any], dtype: int) -> np.ndarray:
    _only(flat, {int, float}, dtype)
    _, name, exact, largest = FLOATS[dtype]
    for value in flat:
        if type(value) is int:
            lossy = not -exact <= value <= exact
        else:
            lossy = math.isfinite(value) and not -largest <= value <= largest
        if lossy:
            raise invalid_argument(
                f"Cannot convert JSON value: {echo(value)} to {name} without loss of precision."
            )
    return np.array(flat, tensors.KINDS[dtype][0])


def _integers(flat: list[Any], dtype: int) -> np.ndarray:
    _only(flat, {int}, dtype)
    allowed = RANGES[dtype]
    if flat and not (min(flat) in allowed and max(flat) in allowed):
        raise _type_error(next(value for value in flat if value not in allowed), dtype)
    wide = np.uint64 if dtype == types_pb2.DT_UINT64 else np.int64
    return np.array(flat, wide).astype(tensors.KINDS[dtype][0])


def _strings(flat: list[Any]) -> np.ndarray:
    values = np.empty(len(flat), object)
    for index, value in enumerate(flat):
        if isinstance(value, str):
            values[index] = text_bytes(value)
        elif isinstance(value, dict):
            values[index] = base64_bytes(value)
        else:
            raise _type_error(value, types_pb2.DT_STRING)
    return values


def text_bytes(value: str) -> bytes:
    """A JSON string's UTF-8; bytes that were not UTF-8 in the body pass through unchanged."""
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise invalid_argument(
            "JSON Parse error: The surrogate pair in string is invalid."
        ) from None


def base64_bytes(value: Any) -> bytes:
    """The bytes of a `{"b64": "..."}` object."""
    if not _is_base64(value):
        raise invalid_argument(f"JSON Value: {echo(value)} not formatted correctly for base64 data")
    try:
        text = "".join(value["b64"].split()).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None
