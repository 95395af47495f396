"""Text in files that are never held whole: plain or gzip, one or many, in pieces by bytes."""

from __future__ import annotations

import glob
import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, cast

from zoo.errors import ZooError
from zoo.io import text_lines

BLOCK = 8 * 2**20  # bytes that are read, and cut into lines, together
PIECE = 32 * 2**20  # bytes of a plain file that one worker reads


@dataclass(frozen=True)
class Piece:
    """The lines of a file that begin in a range of its bytes; of gzip, all lines."""

    path: Path
    start: int = 0
    stop: int | None = None

    def blocks(self) -> Iterator[list[str]]:
        """The lines, some megabytes at a time.

        Raises:
            ZooError: the file cannot be read, or is no UTF-8 text.
        """
        try:
            with _opened(self.path) as file:
                yield from self._blocks(file)
        except (OSError, EOFError) as error:  # EOFError: gzip that is cut short
            reason = getattr(error, "strerror", None) or error
            raise ZooError(f"cannot read {self.path}: {reason}") from None

    def _blocks(self, file: IO[bytes]) -> Iterator[list[str]]:
        place = self.start
        if place:
            file.seek(place - 1)
            place += len(file.readline()) - 1  # the line before belongs to the piece before
        while self.stop is None or place < self.stop:
            size = BLOCK if self.stop is None else min(BLOCK, self.stop - place)
            data = file.read(size)
            if not data:
                return
            if not data.endswith(b"\n"):
                data += file.readline()
            place += len(data)
            yield text_lines(data, self.path)


@dataclass(frozen=True)
class TextFiles:
    """The lines of files in their order, read anew at each iteration."""

    paths: tuple[Path, ...]

    def __iter__(self) -> Iterator[str]:
        for path in self.paths:
            for lines in Piece(path).blocks():
                yield from lines

    def __bool__(self) -> bool:
        return any(True for _ in self)

    def pieces(self, size: int = PIECE) -> list[Piece]:
        """Shares of the lines for several workers, in order."""
        found = []
        for path in self.paths:
            if is_gzip(path):
                found.append(Piece(path))
                continue
            bytes_in_all = path.stat().st_size
            starts = range(0, bytes_in_all, size)
            found += [Piece(path, start, min(start + size, bytes_in_all)) for start in starts]
        return found

    @cached_property
    def sha256(self) -> str:
        """Of the files' bytes, in order."""
        sums = hashlib.sha256()
        for path in self.paths:
            with path.open("rb") as file:
                sums.update(hashlib.file_digest(file, "sha256").digest())
        return sums.hexdigest()


def text_files(patterns: str | list[str]) -> TextFiles:
    """The files that paths or globs name, each once, sorted within a pattern.

    Raises:
        ZooError: a pattern names no file.
    """
    found: dict[Path, None] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        names = sorted(name for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
        if not names:
            raise ZooError(f"no file {pattern!r}: name text files, plain or gzip, or a pattern")
        found.update(dict.fromkeys(map(Path, names)))
    return TextFiles(tuple(found))


def is_gzip(path: Path) -> bool:
    """By its first bytes, whatever its name is."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")
