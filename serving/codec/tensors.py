"""TensorProto to NumPy and back, by whole arrays instead of by elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.codec import wire
from serving.errors import Code, ServingError, invalid_argument

DT_STRING = types_pb2.DT_STRING
LARGEST_TENSOR_BYTES = 1 << 31
# A message of a few bytes may stand for a repeated value; not for all of the memory.
LARGEST_REPEATED_BYTES = 64 << 20
BULK = 256
OBJECT = np.dtype(object)
MOST_DIMENSIONS = 64  # NumPy's
# What a run of a model gives: sessions give scalars as bytes or NumPy scalars.
Fetched = np.ndarray | np.generic | bytes

# TensorProto's value fields: name and number, by data type.
FLOAT_VAL, DOUBLE_VAL, INT_VAL, STRING_VAL = 5, 6, 7, 8
SCOMPLEX_VAL, INT64_VAL, BOOL_VAL, DCOMPLEX_VAL = 9, 10, 11, 12
HALF_VAL, UINT32_VAL, UINT64_VAL = 13, 16, 17

KINDS: dict[int, tuple[np.dtype, str, int]] = {
    types_pb2.DT_FLOAT: (np.dtype(np.float32), "float_val", FLOAT_VAL),
    types_pb2.DT_DOUBLE: (np.dtype(np.float64), "double_val", DOUBLE_VAL),
    types_pb2.DT_INT32: (np.dtype(np.int32), "int_val", INT_VAL),
    types_pb2.DT_INT16: (np.dtype(np.int16), "int_val", INT_VAL),
    types_pb2.DT_INT8: (np.dtype(np.int8), "int_val", INT_VAL),
    types_pb2.DT_UINT8: (np.dtype(np.uint8), "int_val", INT_VAL),
    types_pb2.DT_UINT16: (np.dtype(np.uint16), "int_val", INT_VAL),
    types_pb2.DT_INT64: (np.dtype(np.int64), "int64_val", INT64_VAL),
    types_pb2.DT_UINT32: (np.dtype(np.uint32), "uint32_val", UINT32_VAL),
    types_pb2.DT_UINT64: (np.dtype(np.uint64), "uint64_val", UINT64_VAL),
    types_pb2.DT_BOOL: (np.dtype(np.bool_), "bool_val", BOOL_VAL),
    types_pb2.DT_STRING: (OBJECT, "string_val", STRING_VAL),
    types_pb2.DT_COMPLEX64: (np.dtype(np.complex64), "scomplex_val", SCOMPLEX_VAL),
    types_pb2.DT_COMPLEX128: (np.dtype(np.complex128), "dcomplex_val", DCOMPLEX_VAL),
    types_pb2.DT_HALF: (np.dtype(np.float16), "half_val", HALF_VAL),
    types_pb2.DT_BFLOAT16: (np.dtype(ml_dtypes.bfloat16), "half_val", HALF_VAL),
}
ENUMS = {kind[0]: enum for enum, kind in KINDS.items()}
# Fields whose packed form is the array's own little-endian bytes.
RAW_FIELDS = (FLOAT_VAL, DOUBLE_VAL, SCOMPLEX_VAL, DCOMPLEX_VAL)


def type_name(enum: int) -> str:
    """TensorFlow's short name of a data type, as its messages print it."""
    names = {types_pb2.DT_HALF: "half"}
    return names.get(enum) or types_pb2.DataType.Name(enum).removeprefix("DT_").lower()


def decode(tensor: tensor_pb2.TensorProto, name: str) -> np.ndarray:
    """The array of a TensorProto, by TensorFlow's own rules for short and missing values.

    Args:
        tensor: a TensorProto; values in `tensor_content` or in the field of its type.
        name: the input's name, for the message.

    Raises:
        ServingError: INVALID_ARGUMENT when it is not a tensor, when a value does not fit its
            type, or when its values are in another type's field.
    """
    kind = KINDS.get(tensor.dtype)
    if kind is None or tensor.tensor_shape.unknown_rank:
        raise invalid_argument(f"tensor parsing error: {name}")
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * kind[0].itemsize > LARGEST_TENSOR_BYTES:
        raise invalid_argument(f"tensor parsing error: {name}")
    try:
        if tensor.tensor_content:
            values = _from_content(tensor.tensor_content, kind[0], count)
        else:
            values = _from_field(tensor, name, *kind, count)
        return values.reshape(shape)
    except (ValueError, OverflowError):
        raise invalid_argument(f"tensor parsing error: {name}") from None


def _from_content(content: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    if dtype == OBJECT:
        return _strings_from_content(content, count)
    if len(content) != count * dtype.itemsize:
        raise ValueError("content does not fill the shape")
    return np.frombuffer(content, dtype)


def _strings_from_content(content: bytes, count: int) -> np.ndarray:
    """Strings are stored as all lengths first, then all bytes."""
    lengths, position = [], 0
    for _ in range(count):
        length, position = wire.read_varint(content, position)
        lengths.append(length)
    values = np.empty(count, OBJECT)
    for i, length in enumerate(lengths):
        values[i] = content[position : position + length]
        position += length
    if position != len(content):
        raise ValueError("content does not match its lengths")
    return values


def _from_field(
    tensor: tensor_pb2.TensorProto, name: str, dtype: np.dtype, field: str, number: int, count: int
) -> np.ndarray:
    repeated = getattr(tensor, field)
    if not repeated and count:
        _refuse_other_fields(tensor, name, field)
    if dtype == OBJECT:
        return _filled(_objects(repeated), dtype, count)
    if number in RAW_FIELDS:
        return _filled(_raw_values(tensor, repeated, number, dtype), dtype, count)
    if number in (INT_VAL, HALF_VAL):
        stored = np.dtype(np.uint16) if number == HALF_VAL else dtype
        wide = np.fromiter(repeated, np.int32, len(repeated))
        return _filled(_narrowed(tensor, name, stored, wide).view(dtype), dtype, count)
    return _filled(np.fromiter(repeated, dtype, len(repeated)), dtype, count)


def _refuse_other_fields(tensor: tensor_pb2.TensorProto, name: str, field: str) -> None:
    """No values are zeros, but not when there are some that would be left unread."""
    for other, _ in tensor.ListFields():
        if other.name.endswith("_val"):
            raise invalid_argument(
                f"tensor parsing error: {name}: a {types_pb2.DataType.Name(tensor.dtype)} has its "
                f"values in {field}, this one in {other.name}"
            )


def _narrowed(
    tensor: tensor_pb2.TensorProto, name: str, dtype: np.dtype, wide: np.ndarray
) -> np.ndarray:
    """Values that came in a field of larger ones."""
    narrow = wide.astype(dtype, copy=False)
    if narrow is not wide:
        changed = np.flatnonzero(narrow != wide)
        if len(changed):
            raise invalid_argument(
                f"tensor parsing error: {name}: {wide[changed[0]]} does not fit "
                f"{types_pb2.DataType.Name(tensor.dtype)}"
            )
    return narrow


def _objects(repeated: Sequence[Any]) -> np.ndarray:
    values = np.empty(len(repeated), OBJECT)
    values[:] = list(repeated)
    return values


def _raw_values(
    tensor: tensor_pb2.TensorProto, repeated: Sequence[Any], number: int, dtype: np.dtype
) -> np.ndarray:
    """Float-like values; long ones are cut out of the message's own bytes."""
    element = {SCOMPLEX_VAL: np.float32, DCOMPLEX_VAL: np.float64}.get(number, dtype)
    if len(repeated) < BULK:
        flat = np.fromiter(repeated, element, len(repeated))
    else:
        data = tensor.SerializeToString()
        spans = [data[a:b] for n, kind, a, b in wire.fields(data) if (n, kind) == (number, 2)]
        flat = np.frombuffer(b"".join(spans), element)
    return flat[: len(flat) // 2 * 2].view(dtype) if number in (9, 12) else flat


def _filled(values: np.ndarray, dtype: np.dtype, count: int) -> np.ndarray:
    """As many values as the shape holds: cut, or the last one repeated, or the type's zero."""
    if len(values) >= count:
        return values[:count]
    # Of a string each repetition is a copy in TensorFlow.
    last = len(values[-1]) if dtype == OBJECT and len(values) else 0
    if count * (dtype.itemsize + last) > LARGEST_REPEATED_BYTES:
        raise ValueError("too large for a repeated value")
    if len(values) == 0:
        return np.full(count, b"", OBJECT) if dtype == OBJECT else np.zeros(count, dtype)
    full = np.empty(count, dtype)
    full[: len(values)] = values
    full[len(values) :] = values[-1]
    return full


def as_array(value: Fetched) -> np.ndarray:
    """A fetched value as an array."""
    if isinstance(value, bytes):
        scalar = np.empty((), OBJECT)
        scalar[()] = value
        return scalar
    return np.asarray(value)


def encode(value: Fetched, as_content: bool = False) -> bytes:
    """A serialized TensorProto, with values in their typed field unless `as_content`.

    Example:
        >>> from tensorflow.core.framework import tensor_pb2
        >>> proto = tensor_pb2.TensorProto.FromString(encode(np.float32([1.0, 2.0])))
        >>> list(proto.float_val)
        [1.0, 2.0]
    """
    array = as_array(value)
    enum = ENUMS.get(array.dtype)
    if enum is None:
        raise ServingError(Code.UNIMPLEMENTED, f"output of type {array.dtype} has no wire form")
    dims = b"".join(wire.delimited(2, wire.integer(1, size)) for size in array.shape)
    head = wire.integer(1, enum) + wire.delimited(2, dims)
    if array.dtype == OBJECT:
        return head + _encode_strings(array, as_content)
    if as_content:
        return head + wire.delimited(4, array.tobytes())
    return head + _encode_values(array, KINDS[enum][2])


def _encode_strings(array: np.ndarray, as_content: bool) -> bytes:
    values = array.ravel().tolist()
    if as_content:
        lengths = b"".join(wire.varint(len(value)) for value in values)
        return wire.delimited(4, lengths + b"".join(values))
    return b"".join([wire.delimited(STRING_VAL, value) for value in values])


def _encode_values(array: np.ndarray, number: int) -> bytes:
    if array.size == 0:
        return b""
    if number in RAW_FIELDS:
        return wire.delimited(number, array.tobytes())
    if number == HALF_VAL:
        array = array.view(np.uint16)
    return wire.delimited(number, _packed_varints(array))


def _packed_varints(array: np.ndarray) -> bytes:
    """Varints of a whole array; small ones are their own single byte."""
    if array.dtype == np.bool_:
        return array.tobytes()
    if int(array.min()) >= 0 and int(array.max()) < 0x80:
        return array.astype(np.uint8).tobytes()
    return b"".join(map(wire.varint, array.ravel().tolist()))
