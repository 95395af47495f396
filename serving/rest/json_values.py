"""Nested lists of JSON values to typed arrays, as strictly as TensorFlow Serving reads them."""

from __future__ import annotations

import base64
import binascii
import math
from itertools import chain
from typing import Any

import ml_dtypes
import numpy as np
from tensorflow.core.framework import types_pb2

from serving.codec import tensors
from serving.errors import Code, ServingError, invalid_argument
from serving.rest.json_body import LITERALS, TOO_BIG, echo

RANGES = {
    types_pb2.DT_INT8: range(-(1 << 7), 1 << 7),
    types_pb2.DT_UINT8: range(1 << 8),
    types_pb2.DT_INT16: range(-(1 << 15), 1 << 15),
    types_pb2.DT_UINT16: range(1 << 16),
    types_pb2.DT_INT32: range(-(1 << 31), 1 << 31),
    types_pb2.DT_UINT32: range(1 << 32),
    types_pb2.DT_INT64: range(-(1 << 63), 1 << 63),
    types_pb2.DT_UINT64: range(1 << 64),
}
# Largest whole number up to which the type holds each one exactly, and its largest value.
FLOATS = {
    types_pb2.DT_FLOAT: ((1 << 24) - 1, float(np.finfo(np.float32).max)),
    types_pb2.DT_DOUBLE: ((1 << 53) - 1, float(np.finfo(np.float64).max)),
    types_pb2.DT_HALF: ((1 << 11) - 1, float(np.finfo(np.float16).max)),
    types_pb2.DT_BFLOAT16: ((1 << 8) - 1, float(ml_dtypes.finfo(ml_dtypes.bfloat16).max)),
}
NARROW = (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16)


class RaggedError(Exception):
    """Nested lists that are no tensor; the slow path finds the words for it."""


def is_base64(value: Any) -> bool:
    """Whether a JSON value is a `{"b64": "..."}` object."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def checked_array(value: Any, dtype: int) -> np.ndarray:
    """`array_of`, with the exact words for what does not fit."""
    try:
        return array_of(value, dtype)
    except RaggedError:
        shape: list[int] = []
        inner = value
        while isinstance(inner, list):
            _check_depth(shape)
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
    flat: list[Any] = [value]
    shape: list[int] = []
    while flat and isinstance(flat[0], list):
        _check_depth(shape)
        size = len(flat[0])
        if any(not isinstance(item, list) or len(item) != size for item in flat):
            raise RaggedError
        shape.append(size)
        flat = list(chain.from_iterable(flat))
    if list in set(map(type, flat)):
        raise RaggedError
    return _typed(flat, dtype).reshape(shape)


def _check_depth(shape: list[int]) -> None:
    if len(shape) == tensors.MOST_DIMENSIONS:
        raise invalid_argument(
            f"lists are nested too deeply: a tensor has at most {tensors.MOST_DIMENSIONS} "
            "dimensions"
        )


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
    exact, largest = FLOATS[dtype]
    for value in flat:
        if type(value) is int:
            lossy = not -exact <= value <= exact and not _is_exact(value, dtype)
        else:
            lossy = not -largest <= value <= largest and not _is_literal(value)
        if lossy:
            raise invalid_argument(
                f"Cannot convert JSON value: {echo(value)} to {tensors.type_name(dtype)} "
                "without loss of precision."
            )
    return np.array(flat, tensors.KINDS[dtype][0])


def _is_exact(value: int, dtype: int) -> bool:
    """Whether a narrow type holds a larger whole number, such as 1000 in bfloat16.

    For the wider ones none is taken to be, as by TensorFlow Serving.
    """
    if dtype not in NARROW or abs(value) > FLOATS[dtype][1]:
        return False
    return float(tensors.KINDS[dtype][0].type(value)) == value


def _is_literal(value: float) -> bool:
    """Whether a number that is not finite is one of JSON's extra words, as 1e999 is not."""
    if math.isfinite(value):
        return False
    if not any(value is literal for literal in LITERALS.values()):
        raise invalid_argument(TOO_BIG)
    return True


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
    """A JSON string's UTF-8, which half a surrogate pair has none of."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise invalid_argument(
            "JSON Parse error: The surrogate pair in string is invalid."
        ) from None


def base64_bytes(value: Any) -> bytes:
    """The bytes of a `{"b64": "..."}` object."""
    if not is_base64(value):
        raise invalid_argument(f"JSON Value: {echo(value)} not formatted correctly for base64 data")
    try:
        text = "".join(value["b64"].split()).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None
