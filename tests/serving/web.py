"""A plain HTTP client for the tests: any method, path and body, never a proxy."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The message of an error body."""
        return self.json["error"]


def request(
    base: str,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """Send one request; a body that is not bytes or str is sent as JSON."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    if body is not None and not isinstance(body, bytes | str):
        body = json.dumps(body)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, response.read(), names)
    finally:
        connection.close()


def get(base: str, path: str) -> Reply:
    """GET a path."""
    return request(base, "GET", path)


def post(base: str, path: str, body: Any, headers: dict[str, str] | None = None) -> Reply:
    """POST a body."""
    return request(base, "POST", path, body, headers)
