"""Errors that a client sees: a canonical code and a message, the same over gRPC and REST."""

from __future__ import annotations

import enum
from collections.abc import Iterable

LONGEST_GRPC_MESSAGE = 1024
MOST_NAMES = 30


class Code(enum.IntEnum):
    """Canonical status codes; gRPC and TensorFlow number them alike."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


class ServingError(Exception):
    """What a request, a load or a start fails with.

    Example:
        >>> str(ServingError(Code.NOT_FOUND, "no such model"))
        'NOT_FOUND: no such model'
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    """INVALID_ARGUMENT with this message."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """NOT_FOUND with this message."""
    return ServingError(Code.NOT_FOUND, message)


def failed_precondition(message: str) -> ServingError:
    """FAILED_PRECONDITION with this message."""
    return ServingError(Code.FAILED_PRECONDITION, message)


def deadline_exceeded(message: str) -> ServingError:
    """DEADLINE_EXCEEDED with this message."""
    return ServingError(Code.DEADLINE_EXCEEDED, message)


def with_names(message: str, names: Iterable[str]) -> str:
    """A message about a name that a model does not have, and those that it has (not `__` ones).

    Example:
        >>> with_names("No label: c", {"b", "a"})
        'No label: c. The model has: a, b.'
    """
    known = sorted(name for name in names if not name.startswith("__"))
    if not known:
        return message
    more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return f"{message.rstrip('.')}. The model has: {', '.join(known[:MOST_NAMES])}{more}."


def from_exception(error: BaseException) -> ServingError:
    """The client's view of any exception: TensorFlow's own code and text, else INTERNAL."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, MemoryError):
        return ServingError(Code.RESOURCE_EXHAUSTED, "out of memory")
    code = getattr(error, "error_code", None)
    message = getattr(error, "message", None)
    if isinstance(code, int) and isinstance(message, str) and code in Code._value2member_map_:
        return ServingError(Code(code), message)
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")


def truncated(message: str) -> str:
    """A message short enough for gRPC's trailing metadata."""
    if len(message) <= LONGEST_GRPC_MESSAGE:
        return message
    return message[:LONGEST_GRPC_MESSAGE] + "...TRUNCATED"
