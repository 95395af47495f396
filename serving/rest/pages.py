"""The page to play with at /, the form at /docs, and the files behind both.

They are constant files of the package: nothing of a request or of a model is in their text. What
they show they ask of the REST interface, as any client does, and their policy lets them load from
and talk to this server alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from serving.access.exposure import is_loopback
from serving.options import Flags
from serving.rest.routes import Answer

FOLDER = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),  # kept, and asked for each time whether it is the same
)
FORM = "/docs"
PLAYGROUND = "/"


@dataclass(frozen=True)
class Page:
    """A file as it is sent, and the tag that changes with its content."""

    body: bytes
    content_type: str
    tag: bytes

    def answer(self, known: bytes) -> Answer:
        """The file, or 304 to a client that has it; `known` is what If-None-Match lists."""
        headers = (*SECURITY, (b"etag", self.tag))
        tags = {tag.strip().removeprefix(b"W/") for tag in known.split(b",")}
        if tags & {self.tag, b"*"}:
            return Answer(304, b"", self.content_type, headers)
        return Answer(200, self.body, self.content_type, headers)


def read_page(path: Path) -> Page:
    """A file of the package."""
    body = path.read_bytes()
    tag = b'"' + hashlib.sha256(body).hexdigest()[:16].encode() + b'"'
    return Page(body, TYPES[path.suffix], tag)


def pages(playground: bool) -> dict[str, Page]:
    """The pages by their paths: always the form, and the page to play with if it is on."""
    files = {
        path.name: read_page(path) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES
    }
    found = {FORM: files.pop("docs.html")}
    index = files.pop("index.html")
    if playground:
        found[PLAYGROUND] = index
    return found | {f"/page/{name}": page for name, page in files.items()}


def has_playground(flags: Flags) -> bool:
    """What --playground says; where it was not given, whether this machine alone may ask, freely.

    A browser opens a page without a key, so where keys are needed the page must be asked for.
    """
    if "playground" in flags.given:
        return flags.playground
    return is_loopback(flags.host) and not flags.api_key_file


def pages_without_key(flags: Flags) -> set[str]:
    """The pages that are sent without an API key: all, once --playground is given."""
    return set(pages(True)) if "playground" in flags.given and flags.playground else set()
