"""The texts that a verb is about: words of the command line, or the lines of a file.

A file is read so many lines at a time as are answered together, so that its length does not
matter, with a bar on stderr if that is a terminal and the answers go elsewhere.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from zoo.errors import ZooError
from zoo.io import iter_text_lines, read_text_lines, text_lines


def texts_of(options: argparse.Namespace) -> list[str]:
    """The texts on the command line, or the lines of --file (`-`: standard input), all at once."""
    texts = [decoded(text) for text in options.text]
    name = getattr(options, "file", None)
    if name is None:
        if not texts:
            raise ZooError("no text given; write it in quotes after the verb")
        return texts
    if name == "-":
        return texts + text_lines(sys.stdin.buffer.read(), name)
    return texts + read_text_lines(name)


def text_chunks(options: argparse.Namespace, size: int) -> Iterator[list[str]]:
    """The same texts, `size` at a time; of a file no more are in memory."""
    if options.file is None:
        yield from _chunks(iter(texts_of(options)), size)
        return
    given = [decoded(text) for text in options.text]
    with ExitStack() as stack:
        stream, total = sys.stdin.buffer, None
        if options.file != "-":
            try:
                stream = stack.enter_context(Path(options.file).open("rb"))
                total = os.fstat(stream.fileno()).st_size
            except OSError as error:
                raise ZooError(f"cannot read {options.file}: {error.strerror}") from None
        if total and is_watched():
            stream = watched(stack, stream, total, options.name)
        yield from _chunks(itertools.chain(given, iter_text_lines(stream, options.file)), size)


def _chunks(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    while chunk := list(itertools.islice(texts, size)):
        yield chunk


def is_watched() -> bool:
    """Whether somebody looks at stderr, and the answers are not what they see."""
    return sys.stderr.isatty() and not sys.stdout.isatty()


def watched(stack: ExitStack, stream: BinaryIO, total: int, name: str) -> BinaryIO:
    """The stream with a bar on stderr of how much of it has been read."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    bar = Progress(console=console, redirect_stdout=False, transient=True)
    stack.enter_context(bar)
    return bar.wrap_file(stream, total=total, description=name)


def decoded(text: str) -> str:
    """Arguments that were not UTF-8 arrive as surrogates, which no tokenizer should see."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ZooError("the text is not valid UTF-8; check the terminal's encoding") from None
    return text
