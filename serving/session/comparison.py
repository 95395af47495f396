"""Whether requests that share a run get what each gets alone."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

import ml_dtypes
import numpy as np

Arrays = Sequence[np.ndarray]
HALVES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
# Sums are taken in another order for another number of rows.
RELATIVE, RELATIVE_OF_HALVES = 1e-3, 5e-2
PROBES = 6


class Difference(enum.Enum):
    """How a shared run's values differ from those of separate runs, the gravest last."""

    NONE = "they are equal"
    # Of whole numbers and strings: rounding may also have decided between two that are as good.
    CHOICE = "its words or whole numbers depend on the other requests"
    VALUES = "its values depend on the other requests"
    SHAPE = "its shape depends on the other requests"
    ROWS = "its rows are not the request's rows"


GRAVITY = list(Difference)


def has_rows(value: np.ndarray, rows: int) -> bool:
    """Whether a value has a row for each of the input's."""
    return value.ndim > 0 and len(value) == rows


def difference(alone: np.ndarray, shared: np.ndarray) -> Difference:
    """Compare a request's value from a run of its own with that from a shared run."""
    if alone.shape != shared.shape:
        return Difference.SHAPE
    if np.array_equal(alone, shared):
        return Difference.NONE
    if alone.dtype in HALVES:
        return _difference_of_floats(
            alone.astype(np.float32), shared.astype(np.float32), RELATIVE_OF_HALVES
        )
    if alone.dtype.kind in "fc":
        return _difference_of_floats(alone, shared, RELATIVE)
    return Difference.CHOICE


def _difference_of_floats(alone: np.ndarray, shared: np.ndarray, relative: float) -> Difference:
    finite = np.abs(alone[np.isfinite(alone)])
    absolute = relative / 100 * float(finite.max(initial=0.0))
    close = np.allclose(shared, alone, rtol=relative, atol=absolute, equal_nan=True)
    return Difference.NONE if close else Difference.VALUES


def probe_requests(like: Arrays) -> Iterator[list[np.ndarray]]:
    """Requests of one row with the types and inner shapes of `like`, unlike each other but two."""
    for i in range(PROBES):
        yield [_row(array, min(i, PROBES - 2) + j) for j, array in enumerate(like)]


def _row(like: np.ndarray, variant: int) -> np.ndarray:
    shape = (1, *like.shape[1:])
    if like.dtype == object:
        row = np.empty(shape, object)
        row[...] = (b"", b"a", b"b c d", b"0.5", b"e f")[variant % 5]
        return row
    places = np.arange(int(np.prod(shape))).reshape(shape)
    if like.dtype.kind in "iub":
        return np.asarray((places + variant) % 5).astype(like.dtype)
    lowest = (-1.5, 0.0, 0.25, 2.0, 1.0)[variant % 5]
    return np.asarray(lowest + places % 7 / 8).astype(like.dtype)
