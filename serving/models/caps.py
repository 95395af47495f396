"""How much a request may stand for: a few bytes on the wire can be many rows of a model's work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from serving.errors import ServingError, invalid_argument

STRING_BYTES = 24  # of a string in TensorFlow, beside its characters


@dataclass(frozen=True)
class Caps:
    """The most rows and bytes of a request's inputs."""

    rows: int = 1 << 15
    bytes: int = 1 << 30

    def check(self, given: Mapping[str, np.ndarray]) -> None:
        """Refuse inputs that are too many.

        A row is an element of the first dimension; numbers in a vector count by their bytes alone.

        Raises:
            ServingError: INVALID_ARGUMENT, naming the flag.
        """
        total = 0
        for name, array in given.items():
            if array.ndim and (array.ndim > 1 or array.dtype == object):
                self.check_rows(f"input {name}", array.shape[0])
            total += size_of(array)
        self.check_bytes(total)

    def check_rows(self, what: str, rows: int) -> None:
        """Refuse so many rows."""
        if rows > self.rows:
            raise _refusal(f"{what} has {rows} rows", "max_request_rows", self.rows)

    def check_bytes(self, total: int) -> None:
        """Refuse so many bytes."""
        if total > self.bytes:
            raise _refusal(f"the inputs take {total} bytes", "max_request_bytes", self.bytes)


def _refusal(what: str, flag: str, most: int) -> ServingError:
    return invalid_argument(f"{what}, more than --{flag}={most}; send it in several requests")


def size_of(array: np.ndarray) -> int:
    """The bytes that an array's values take in TensorFlow."""
    if array.dtype != object:
        return array.nbytes
    return STRING_BYTES * array.size + sum(map(len, array.ravel().tolist()))
