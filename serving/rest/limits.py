"""What a client of the REST interface may take: bytes, seconds, connections.

A connection that waits for its client can be closed at any moment, so the longest-waiting one
makes room when there are as many as may be: clients that open connections and keep silent, or
send halves of requests, cannot keep others out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from serving.access.sockets import room_for
from serving.options import Flags

# A slower body is too slow, however long it may take altogether.
BYTES_A_SECOND = 1024
# How long a refused client's input is read on, so that it sees its answer, and the pause after
# each piece of it.
LINGER_SECONDS, DISCARD_SECONDS = 2.0, 0.05
# How long a body may still take to arrive once the server is told to stop.
STOPPING_SECONDS = 1.0
MOST_PIPELINED = 16
MILLI = 1000


@dataclass(frozen=True)
class Limits:
    """The limits of a server's connections."""

    head_bytes: int = 64 << 10
    head_seconds: float = 30.0
    body_bytes: int = 1 << 31
    body_seconds: float = 60.0
    idle_seconds: float = 75.0
    connections: int = 4096
    buffered_bytes: int = 4 << 30

    def late(self, waited: float, moved: int, still: float) -> bool:
        """Whether a body of so many bytes so far, the last of them so long ago, is too slow."""
        return still > self.body_seconds or waited > self.body_seconds + moved / BYTES_A_SECOND

    @property
    def tick(self) -> float:
        """How often to look for clients that are late."""
        shortest = min(self.head_seconds, self.body_seconds, self.idle_seconds)
        return max(0.02, min(1.0, shortest / 4))


def limits_of(flags: Flags) -> Limits:
    """The limits that the flags give."""
    return Limits(
        flags.rest_api_max_header_bytes,
        flags.rest_api_header_timeout_in_ms / MILLI,
        flags.rest_api_max_body_bytes,
        flags.rest_api_body_timeout_in_ms / MILLI,
        flags.rest_api_keep_alive_in_ms / MILLI,
        room_for(flags.rest_api_max_connections),
        flags.rest_api_max_buffered_bytes,
    )


class Evictable(Protocol):
    """A connection that can be told to make room."""

    @property
    def receives(self) -> bool:
        """Whether a body is still coming in."""

    def evict(self) -> None:
        """Close it."""


class Waiting:
    """The connections that wait for their clients, the longest-waiting first."""

    def __init__(self) -> None:
        self._ordered: dict[Evictable, None] = {}

    def add(self, connection: Evictable) -> None:
        """It waits from now on."""
        self._ordered.pop(connection, None)
        self._ordered[connection] = None

    def remove(self, connection: Evictable) -> None:
        """It does not wait any more."""
        self._ordered.pop(connection, None)

    def make_room(self) -> bool:
        """Close the longest-waiting one; False if there is none."""
        oldest = next(iter(self._ordered), None)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.evict()
        return True


class Buffers:
    """What the connections hold of bodies whose requests are not answered yet."""

    def __init__(self, most: int) -> None:
        self._most, self._total = most, 0
        self._held: dict[Evictable, int] = {}

    def add(self, connection: Evictable, size: int) -> None:
        """It holds more; if all together hold too much, the one that receives most must go."""
        self._held[connection] = self._held.get(connection, 0) + size
        self._total += size
        if self._total > self._most:
            receiving = (held for held in self._held if held.receives)
            max(receiving, key=self._held.__getitem__, default=connection).evict()

    def release(self, connection: Evictable) -> None:
        """It holds nothing any more."""
        self._total -= self._held.pop(connection, 0)
