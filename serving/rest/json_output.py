"""Arrays to JSON, written as TensorFlow Serving writes it: four-space indent, rows on one line,
floats in the shortest of six or full digits, NaN and Infinity bare."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping

import numpy as np
from tensorflow_serving.apis import classification_pb2, regression_pb2

from serving.codec import tensors
from serving.errors import invalid_argument

INDENT = "    "
WRITABLE_INTEGERS = {"b", "B", "h", "i", "I", "l", "L", "q", "Q"}
Leaf = list[str]


def error_body(message: str) -> bytes:
    """The body of every failed request."""
    return ("{\n" + INDENT + '"error": ' + string(message) + "\n}").encode("utf-8", "replace")


def predictions(values: Mapping[str, tensors.Fetched]) -> bytes:
    """The body in row form: one entry a row of the batch."""
    if not values:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    arrays = {name: tensors.as_array(value) for name, value in values.items()}
    batch = _batch_size(arrays)
    columns = {name: _row_texts(name, array) for name, array in arrays.items()}
    if len(columns) == 1:
        rows = next(iter(columns.values()))
        end = "\n" + INDENT + "]" if batch else "]"
        return _encoded("{\n" + INDENT + '"predictions": [' + ", ".join(rows) + end + "\n}")
    objects = [_object({n: c[i] for n, c in columns.items()}, 2) for i in range(batch)]
    return _encoded("{\n" + INDENT + '"predictions": ' + _tall(objects, 1) + "\n}")


def outputs(values: Mapping[str, tensors.Fetched]) -> bytes:
    """The body in column form: each output as it is."""
    if not values:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if len(values) == 1:
        name, value = next(iter(values.items()))
        text = _nested(name, tensors.as_array(value), 1)
    else:
        arrays = {name: tensors.as_array(value) for name, value in values.items()}
        text = _object({n: _nested(n, a, 2) for n, a in arrays.items()}, 1)
    return _encoded("{\n" + INDENT + '"outputs": ' + text + "\n}")


def results(rows: list[str], one_line: bool = False) -> bytes:
    """The body of classify and regress."""
    end = "]" if one_line or not rows else "\n" + INDENT + "]"
    return _encoded("{\n" + INDENT + '"results": [' + ", ".join(rows) + end + "\n}")


def classifications(result: classification_pb2.ClassificationResult) -> bytes:
    """A ClassificationResult as lists of [label, score]."""
    rows = []
    for item in result.classifications:
        scores = floats(np.array([c.score for c in item.classes], np.float32))
        pairs = [f"[{string(c.label)}, {s}]" for c, s in zip(item.classes, scores, strict=True)]
        rows.append("[" + ", ".join(pairs) + "]")
    return results(rows)


def regressions(result: regression_pb2.RegressionResult) -> bytes:
    """A RegressionResult as a list of values."""
    return results(floats(np.array([r.value for r in result.regressions], np.float32)), True)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _batch_size(arrays: Mapping[str, np.ndarray]) -> int:
    batch: int | None = None
    for name, array in arrays.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if batch is not None and array.shape[0] != batch:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {array.shape[0]} "
                f"expecting: {batch}"
            )
        batch = array.shape[0]
    return batch or 0


def _row_texts(name: str, array: np.ndarray) -> Leaf:
    """Each row of a batch as a one-line JSON value."""
    texts = leaves(name, array)
    for size in reversed(array.shape[1:]):
        if size == 0:
            return [json.dumps(row) for row in array.tolist()]
        texts = ["[" + ", ".join(texts[i : i + size]) + "]" for i in range(0, len(texts), size)]
    return texts


def _nested(name: str, array: np.ndarray, depth: int) -> str:
    """An array with every element on a line of its own."""
    texts = iter(leaves(name, array))
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


def leaves(name: str, array: np.ndarray) -> Leaf:
    """Every element as JSON text, in row-major order."""
    if array.dtype == object:
        return _string_leaves(name, array.ravel().tolist())
    if array.dtype in (np.float32, np.float64):
        return floats(array.ravel())
    if array.dtype == np.bool_:
        return ["true" if value else "false" for value in array.ravel().tolist()]
    if array.dtype.char in WRITABLE_INTEGERS:
        return list(map(str, array.ravel().tolist()))
    enum = tensors.ENUMS.get(array.dtype, 0)
    raise invalid_argument(f"Failed to write JSON value for tensor type: {tensors.type_name(enum)}")


def _string_leaves(name: str, values: list[bytes]) -> Leaf:
    if name.endswith("_bytes"):
        return ['{"b64": "' + base64.b64encode(value).decode() + '"}' for value in values]
    return [string(value.decode("utf-8", "surrogateescape")) for value in values]


def string(text: str) -> str:
    """A JSON string; bytes that are no UTF-8 stay as they are."""
    return json.dumps(text, ensure_ascii=False)


def floats(array: np.ndarray) -> Leaf:
    """Decimal texts that read back as the same numbers.

    Six digits when they are enough, else 9 (float) or 17 (double); whole numbers get a `.0`.

    Example:
        >>> floats(np.float32([3, 0.1, 1 / 3, 9e6, np.nan]))
        ['3.0', '0.1', '0.333333343', '9e+06', 'NaN']
    """
    if array.size == 0:
        return []
    digits = 9 if array.dtype == np.float32 else 17
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
        texts[index] = _non_finite(wide[index])
    return texts


def _six_digits(values: np.ndarray) -> np.ndarray:
    """Values rounded to six significant digits; NaN where they are not finite."""
    exponent = np.floor(np.log10(np.abs(np.where(values == 0, 1.0, values))))
    # Two steps, because 10 to a large power overflows where the scaled value would not.
    half = np.floor((5 - exponent) / 2)
    rest = 5 - exponent - half
    return np.round(values * 10.0**half * 10.0**rest) / 10.0**half / 10.0**rest


def _non_finite(value: float) -> str:
    if np.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
