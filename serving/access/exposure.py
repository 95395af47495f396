"""Whether others can reach the server, and what is said at the start if nothing keeps them out."""

from __future__ import annotations

import ipaddress
import socket

from serving.options import bare_host


def is_loopback(host: str) -> bool:
    """Whether every address that a host name means here is this machine's alone.

    Example:
        >>> [is_loopback(host) for host in ("127.0.0.1", "[::1]", "0.0.0.0", "::")]
        [True, True, False, False]
    """
    try:
        found = socket.getaddrinfo(bare_host(host), None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    addresses = {str(address[0]).partition("%")[0] for *_, address in found}
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)


def warning(host: str, keys: bool, tls: bool, client_verify: bool) -> str | None:
    """What a server on this address should say aloud, None when there is nothing.

    Args:
        host: the address that it binds.
        keys: whether clients need an API key.
        tls: whether it speaks TLS.
        client_verify: whether clients need a certificate.
    """
    if is_loopback(host):
        return None
    if not keys and not client_verify:
        clear = "" if tls else ", unencrypted"
        return (
            f"OPEN TO EVERYONE: whoever reaches {host} may use and watch this server{clear}. "
            "Give --api_key_file or an --ssl_config_file with client_verify, or bind 127.0.0.1 "
            "(docs/security.md)"
        )
    if not tls:
        return (
            f"API keys and texts reach {host} unencrypted: give --ssl_config_file, or let only a "
            "proxy with TLS reach it (docs/security.md)"
        )
    return None
