"""The web site does not carry the code: links to it become names."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs calls it for each page."""
    return OUTSIDE.sub(r"`\1`", markdown)
