"""API keys: a file of them, and whether what a client sent is one.

Any key of the file is as good as any other, so that keys can be exchanged one after the other:
add the new one, move the clients, take the old one out. The file is looked at again at most once
a second, when a request comes. A file that cannot be read any more or holds no key leaves the
keys as they were, which is said in the log.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from serving.errors import Code, ServingError, invalid_argument

log = logging.getLogger("serving.access")
LOOK_SECONDS = 1.0
BEARER = b"bearer "
REFUSAL = "an API key is needed: send 'authorization: Bearer KEY' or 'x-api-key: KEY'"
Identity = tuple[int, int, int]


class ApiKeys:
    """The keys of a file.

    Raises:
        ServingError: INVALID_ARGUMENT when the file cannot be read or holds no key.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._identity: Identity | None = None
        self._complaint = ""
        self._looked = time.monotonic()
        self._digests: tuple[bytes, ...] = ()
        try:
            self._read()
        except (OSError, ValueError) as error:
            raise invalid_argument(f"--api_key_file={path}: {_reason(error)}") from None

    def _read(self) -> None:
        found = os.stat(self._path)
        identity = (found.st_ino, found.st_size, found.st_mtime_ns)
        if identity != self._identity:
            self._digests = tuple(map(_digest, read_keys(self._path.read_bytes())))
            self._identity = identity

    def admits(self, headers: Iterable[tuple[str | bytes, str | bytes]]) -> bool:
        """Whether one of a request's header fields, their names in lower case, carries a key."""
        self._look_again()
        return any(self._is_key(value) for value in map(_offered, headers) if value)

    def _is_key(self, value: bytes) -> bool:
        """Compared in the same time whatever was sent, with each of the keys."""
        digest, found = _digest(value), False
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return found

    def _look_again(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        with self._lock:
            self._looked = now
            try:
                self._read()
                self._complaint = ""
            except (OSError, ValueError) as error:
                self._complain(_reason(error))

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:
            self._complaint = reason
            log.error("%s: %s; the keys stay as they were", self._path, reason)


def refusal() -> ServingError:
    """What a request without a key is answered."""
    return ServingError(Code.UNAUTHENTICATED, REFUSAL)


def read_keys(text: bytes) -> list[bytes]:
    """The keys of a file: one a line; empty lines and lines that begin with # are passed over.

    Raises:
        ValueError: there is none, or one that no header could carry.

    Example:
        >>> read_keys(b"# of the web site\\n0f3a\\n\\n77c1\\n")
        [b'0f3a', b'77c1']
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith(b"#")]
    for key in keys:
        if not all(0x20 < byte < 0x7F for byte in key):
            # A key is a secret: say where it is, not what it is.
            number = lines.index(key) + 1
            raise ValueError(f"line {number}: a key is printable ASCII without spaces")
    if not keys:
        raise ValueError("it holds no key: write one a line")
    return keys


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _offered(field: tuple[str | bytes, str | bytes]) -> bytes | None:
    """The key that a header field carries, None if it carries none."""
    name, value = (part.encode("utf-8") if isinstance(part, str) else part for part in field)
    if name == b"x-api-key":
        return value.strip()
    if name == b"authorization" and value[: len(BEARER)].lower() == BEARER:
        return value[len(BEARER) :].strip()
    return None
