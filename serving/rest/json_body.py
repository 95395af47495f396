"""The JSON object of a request body, read as strictly as TensorFlow Serving reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from serving.errors import invalid_argument

LONGEST_ECHO = 512
TOO_BIG = "JSON Parse error: Number too big to be stored in double."
# These very objects, by which they are told from a number that is too large, such as 1e999.
LITERALS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
DECODER = json.JSONDecoder(parse_constant=LITERALS.__getitem__)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body; what follows it is ignored.

    Raises:
        ServingError: INVALID_ARGUMENT, saying where it stops being JSON.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    text = _text(body)
    if not text:
        raise invalid_argument("JSON Parse error: The document is empty. at offset: 0")
    try:
        document, _ = DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise invalid_argument(
            f"JSON Parse error: Invalid value. at offset: {error.pos} ({error.msg})"
        ) from None
    except RecursionError:
        raise invalid_argument("JSON Parse error: nested too deeply") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise invalid_argument(TOO_BIG) from None
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {echo(document)} Is not object")
    return document


def _text(body: bytes) -> str:
    try:
        return body.decode().lstrip(" \t\r\n\ufeff")
    except UnicodeDecodeError as error:
        raise invalid_argument(
            f"JSON Parse error: Invalid encoding in string. at offset: {error.start} "
            f"(byte 0x{body[error.start]:02x} is not UTF-8; other bytes go into "
            '{"b64": "..."})'
        ) from None


def echo(value: Any) -> str:
    """A JSON value for an error message, cut where it is long."""
    try:
        text = json.dumps(value, indent=4, ensure_ascii=True)
    except (RecursionError, ValueError):
        return "(deeply nested)"
    return text if len(text) <= LONGEST_ECHO else text[:LONGEST_ECHO] + "..."


def signature_name(document: Mapping[str, Any]) -> str:
    """The request's `signature_name`, "" without one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {echo(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return valid_text(name)


def valid_text(text: str) -> str:
    """A text that can be part of a message; half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid_argument("JSON Parse error: a name is not valid UTF-8") from None
    return text
