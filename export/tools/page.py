"""Tables of docs/device.md: each stands between two comments and is written by a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "device.md"
Rows = Sequence[dict[str, Any]]


def marks(name: str) -> tuple[str, str]:
    """The comments around a table."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def markdown(rows: Rows) -> str:
    """Rows with the same keys as a Markdown table."""
    keys = list(rows[0])
    lines = [f"| {' | '.join(keys)} |", "|---" * len(keys) + "|"]
    lines += [f"| {' | '.join(cell(row[key]) for key in keys)} |" for row in rows]
    return "\n".join(lines)


def cell(value: object) -> str:
    """A value as a reader expects it."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def write_table(name: str, rows: Rows, page: Path = PAGE) -> None:
    """Put a table in place of the one between its comments."""
    begin, end = marks(name)
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n{markdown(rows)}\n{end}{after}", encoding="utf-8")


def read_table(name: str, page: Path = PAGE) -> list[dict[str, str]]:
    """The rows of a table as they stand in the page."""
    begin, end = marks(name)
    between = page.read_text(encoding="utf-8").split(begin)[1].split(end)[0]
    lines = [line.strip().strip("|").split("|") for line in between.strip().splitlines()]
    keys = [key.strip() for key in lines[0]]
    return [dict(zip(keys, (value.strip() for value in line), strict=True)) for line in lines[2:]]
