"""A request body that came compressed."""

from __future__ import annotations

import gzip
import io
import zlib

from serving.errors import invalid_argument

LARGEST_INFLATED = 100 << 20


def inflated(body: bytes) -> bytes:
    """A gzip body's content, of all its members, at most 100 MiB of it."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            content = file.read(LARGEST_INFLATED + 1)
    except EOFError:
        raise invalid_argument("the gzip body is cut short") from None
    except (OSError, zlib.error) as error:
        raise invalid_argument(f"cannot inflate the gzip body: {error}") from None
    if len(content) > LARGEST_INFLATED:
        raise invalid_argument(f"the gzip body inflates to more than {LARGEST_INFLATED} bytes")
    return content
