"""A UNIX socket's path, which a newer server may take over while an older one drains.

gRPC removes the path that it bound when it stops, whoever's socket is there by then. So it binds
a name of its own beside, which is then moved to the path, and the path is removed only while it
still holds that socket.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat

from serving.errors import Code, ServingError


class SocketPath:
    """Where a server's socket appears."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        # Short, because a socket's path has at most 107 bytes.
        self.bound = os.path.join(os.path.dirname(self.path), f".{secrets.token_hex(3)}")
        self._identity: tuple[int, int] | None = None

    def publish(self) -> None:
        """Move the bound socket to the path, in place of any socket there.

        Raises:
            ServingError: something else is there.
        """
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(self.path).st_mode):
                os.unlink(self.bound)
                raise ServingError(
                    Code.UNKNOWN, f"cannot listen on unix:{self.path}: it exists and is no socket"
                )
        self._identity = _identity(self.bound)
        os.rename(self.bound, self.path)

    def withdraw(self) -> None:
        """Remove the path if the socket there is ours."""
        with contextlib.suppress(OSError):
            if self._identity is not None and _identity(self.path) == self._identity:
                os.unlink(self.path)


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
