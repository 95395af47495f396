"""A progress bar on stderr for anything longer than a few seconds; silent when not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def tracked(
    items: Iterable[Item],
    description: str,
    total: int | None = None,
    figures: Callable[[], str] = str,
) -> Iterator[Item]:
    """The items, with a bar on stderr while they are consumed.

    Args:
        items: what is consumed.
        description: stands before the bar.
        total: how many there are.
        figures: what stands behind the bar, asked for after each item.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total, figures="")
        for item in items:
            yield item
            bar.update(task, advance=1, figures=figures())
