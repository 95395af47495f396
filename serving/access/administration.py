"""From where administration is open: this machine, unless a flag says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from serving.access.exposure import is_loopback
from serving.errors import Code, ServingError
from serving.options import Flags


@dataclass(frozen=True)
class Administration:
    """Whether a service that changes or watches the server is open, by where the call came in."""

    flag: str
    over_network: bool
    over_sockets: bool

    def check(self, peer: str) -> None:
        """Refuse a call, by gRPC's name of the client.

        Raises:
            ServingError: PERMISSION_DENIED, naming the flag.
        """
        if self.over_sockets if peer.startswith("unix:") else self.over_network:
            return
        raise ServingError(
            Code.PERMISSION_DENIED,
            f"this service is off here; --{self.flag} turns it on (it is on by itself where only "
            "127.0.0.1 or a UNIX socket is served)",
        )


def administration(flags: Flags, flag: str) -> Administration:
    """What a boolean flag says, or where it was not given, what the addresses say."""
    if flag in flags.given:
        return Administration(flag, getattr(flags, flag), getattr(flags, flag))
    return Administration(flag, is_loopback(flags.host), True)
