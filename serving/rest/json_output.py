"""Arrays to JSON, written as TensorFlow Serving writes it: four-space indent, rows on one line,
floats in the shortest of six or full digits, NaN and Infinity bare.

Unlike there, a string that is not UTF-8 is written as `{"b64": "..."}`. Strict JSON has no NaN and
no Infinity: it gets null and the largest number of the type.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import ml_dtypes
import numpy as np
from tensorflow_serving.apis import classification_pb2, regression_pb2

from serving.codec import tensors
from serving.errors import invalid_argument

INDENT = "    "
WRITABLE_INTEGERS = {"b", "B", "h", "H", "i", "I", "l", "L", "q", "Q"}
WRITABLE_FLOATS = tuple(map(np.dtype, (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)))
Leaf = list[str]


def error_body(message: str) -> bytes:
    """The body of every failed request."""
    return ("{\n" + INDENT + '"error": ' + string(message) + "\n}").encode("utf-8", "replace")


def predictions(values: Mapping[str, tensors.Fetched], strict: bool = False) -> bytes:
    """The body in row form: one entry a row of the batch."""
    if not values:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    arrays = {name: tensors.as_array(value) for name, value in values.items()}
    batch = _batch_size(arrays)
    columns = {name: _row_texts(name, array, strict) for name, array in arrays.items()}
    if len(columns) == 1:
        rows = next(iter(columns.values()))
        end = "\n" + INDENT + "]" if batch else "]"
        return _body("predictions", "[" + ", ".join(rows) + end)
    objects = [_object({n: c[i] for n, c in columns.items()}, 2) for i in range(batch)]
    return _body("predictions", _tall(objects, 1))


def outputs(values: Mapping[str, tensors.Fetched], strict: bool = False) -> bytes:
    """The body in column form: each output as it is."""
    if not values:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if len(values) == 1:
        name, value = next(iter(values.items()))
        text = _nested(name, tensors.as_array(value), 1, strict)
    else:
        arrays = {name: tensors.as_array(value) for name, value in values.items()}
        text = _object({n: _nested(n, a, 2, strict) for n, a in arrays.items()}, 1)
    return _body("outputs", text)


def results(rows: list[str], one_line: bool = False) -> bytes:
    """The body of classify and regress."""
    end = "]" if one_line or not rows else "\n" + INDENT + "]"
    return _body("results", "[" + ", ".join(rows) + end)


def classifications(result: classification_pb2.ClassificationResult, strict: bool = False) -> bytes:
    """A ClassificationResult as lists of [label, score]."""
    rows = []
    for item in result.classifications:
        scores = floats(np.array([c.score for c in item.classes], np.float32), strict)
        pairs = [f"[{string(c.label)}, {s}]" for c, s in zip(item.classes, scores, strict=True)]
        rows.append("[" + ", ".join(pairs) + "]")
    return results(rows)


def regressions(result: regression_pb2.RegressionResult, strict: bool = False) -> bytes:
    """A RegressionResult as a list of values."""
    values = np.array([r.value for r in result.regressions], np.float32)
    return results(floats(values, strict), True)


def _body(key: str, text: str) -> bytes:
    return ("{\n" + INDENT + '"' + key + '": ' + text + "\n}").encode()


def _batch_size(arrays: Mapping[str, np.ndarray]) -> int:
    batch: int | None = None
    for name, array in arrays.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if batch is not None and array.shape[0] != batch:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {array.shape[0]} "
                f"expecting: {batch}. 'inputs' instead of 'instances' answers each output whole"
            )
        batch = array.shape[0]
    return batch or 0


def _row_texts(name: str, array: np.ndarray, strict: bool) -> Leaf:
    """Each row of a batch as a one-line JSON value."""
    texts = leaves(name, array, strict)
    for size in reversed(array.shape[1:]):
        if size == 0:
            return [json.dumps(row) for row in array.tolist()]
        texts = ["[" + ", ".join(texts[i : i + size]) + "]" for i in range(0, len(texts), size)]
    return texts


def _nested(name: str, array: np.ndarray, depth: int, strict: bool) -> str:
    """An array with every element on a line of its own."""
    texts = iter(leaves(name, array, strict))
    return _write(array.shape, texts.__next__, depth)


def _write(shape: tuple[int, ...], leaf: Callable[[], str], depth: int) -> str:
    if not shape:
        return leaf()
    return _tall([_write(shape[1:], leaf, depth + 1) for _ in range(shape[0])], depth)


def _tall(items: list[str], depth: int) -> str:
    """A JSON list with an item a line."""
    if not items:
        return "[]"
    inner = "\n" + INDENT * (depth + 1)
    return "[" + inner + ("," + inner).join(items) + "\n" + INDENT * depth + "]"


def _object(members: Mapping[str, str], depth: int) -> str:
    inner = "\n" + INDENT * (depth + 1)
    pairs = [f"{string(name)}: {text}" for name, text in members.items()]
    return "{" + inner + ("," + inner).join(pairs) + "\n" + INDENT * depth + "}"


def leaves(name: str, array: np.ndarray, strict: bool = False) -> Leaf:
    """Every element as JSON text, in row-major order."""
    if array.dtype == object:
        return _string_leaves(name, array.ravel().tolist())
    if array.dtype in WRITABLE_FLOATS:
        return floats(array.ravel(), strict)
    if array.dtype == np.bool_:
        return ["true" if value else "false" for value in array.ravel().tolist()]
    if array.dtype.char in WRITABLE_INTEGERS:
        return list(map(str, array.ravel().tolist()))
    enum = tensors.ENUMS.get(array.dtype, 0)
    raise invalid_argument(f"Failed to write JSON value for tensor type: {tensors.type_name(enum)}")


def _string_leaves(name: str, values: list[bytes]) -> Leaf:
    if name.endswith("_bytes"):
        return list(map(_base64, values))
    return list(map(_text, values))


def _base64(value: bytes) -> str:
    return '{"b64": "' + base64.b64encode(value).decode() + '"}'


def _text(value: bytes) -> str:
    try:
        return string(value.decode())
    except UnicodeDecodeError:
        return _base64(value)


def string(text: str) -> str:
    """A JSON string."""
    return json.dumps(text, ensure_ascii=False)


def floats(array: np.ndarray, strict: bool = False) -> Leaf:
    """Decimal texts that read back as the same numbers.

    Six digits when they are enough, else 9 (float) or 17 (double); whole numbers get a `.0`.
    What is not finite becomes a literal, or where it is `strict` what JSON has for it.

    Example:
        >>> floats(np.float32([3, 0.1, 1 / 3, 9e6, np.nan]))
        ['3.0', '0.1', '0.333333343', '9e+06', 'NaN']
    """
    if array.size == 0:
        return []
    digits = 17 if array.dtype == np.float64 else 9
    wide = array.astype(np.float64)
    formats = np.full(array.shape, f"%.{digits}g", dtype=object)
    with np.errstate(all="ignore"):
        short = _six_digits(wide).astype(array.dtype) == array
        whole = wide == np.trunc(wide)
        size = np.abs(wide)
    formats[short] = "%g"
    formats[whole & (size < 1e6)] = "%.1f"
    formats[whole & ~short & (size >= 1e6) & (size < 10.0**digits)] = "%.1f"
    texts = ("\n".join(formats.tolist()) % tuple(wide.tolist())).split("\n")
    for index in np.flatnonzero(~np.isfinite(wide)):
        texts[index] = _non_finite(wide[index], _strict(array.dtype) if strict else LITERALS)
    return texts


def _six_digits(values: np.ndarray) -> np.ndarray:
    """Values rounded to six significant digits; NaN where they are not finite."""
    exponent = np.floor(np.log10(np.abs(np.where(values == 0, 1.0, values))))
    # Two steps, because 10 to a large power overflows where the scaled value would not.
    half = np.floor((5 - exponent) / 2)
    rest = 5 - exponent - half
    return np.round(values * 10.0**half * 10.0**rest) / 10.0**half / 10.0**rest


class Words(NamedTuple):
    """What stands for numbers that are not finite."""

    nan: str
    positive: str
    negative: str


LITERALS = Words("NaN", "Infinity", "-Infinity")


@cache
def _strict(dtype: np.dtype) -> Words:
    """JSON's null, and the largest number of a type."""
    largest = np.array([ml_dtypes.finfo(dtype).max], dtype)
    return Words("null", *floats(largest), *floats(-largest))


def _non_finite(value: float, words: Words) -> str:
    if np.isnan(value):
        return words.nan
    return words.positive if value > 0 else words.negative
