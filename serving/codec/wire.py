"""The few pieces of the protocol-buffer wire format that answers are assembled from.

Writing a large tensor into a message object element by element costs a hundred times more than
laying its bytes down once, so answers are put together as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """A non-negative integer (negative: as 64-bit two's complement) in base-128.

    Example:
        >>> varint(300)
        b'\\xac\\x02'
    """
    if value < 0:
        value += 1 << 64
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(field: int, value: int) -> bytes:
    """A varint field; nothing for the default 0."""
    return varint(field << 3 | VARINT) + varint(value) if value else b""


def delimited(field: int, payload: bytes) -> bytes:
    """A length-delimited field: bytes, a string, a message or a packed array."""
    return varint(field << 3 | DELIMITED) + varint(len(payload)) + payload


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The varint at `position` and the position after it; ValueError where there is none."""
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError("truncated varint")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def fields(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Each top-level field of a message: number, wire type, start and end of its content."""
    position = 0
    while position < len(data):
        key, position = read_varint(data, position)
        kind = key & 7
        if kind == VARINT:
            start, end = position, read_varint(data, position)[1]
        elif kind == DELIMITED:
            length, start = read_varint(data, position)
            end = start + length
        elif kind in (FIXED32, FIXED64):
            start, end = position, position + (4 if kind == FIXED32 else 8)
        else:
            raise ValueError(f"unsupported wire type {kind}")
        if end > len(data):
            raise ValueError("truncated field")
        yield key >> 3, kind, start, end
        position = end
