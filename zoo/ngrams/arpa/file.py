"""The lines of an ARPA file, section by section, with line numbers for what is wrong."""

from __future__ import annotations

import gzip
import io
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, NoReturn, Self

import numpy as np

from zoo.errors import ZooError
from zoo.io import BYTE_ORDER_MARK

CHUNK = 100_000  # lines parsed at a time
COUNT = re.compile(rb"ngram\s+(\d{1,3})\s*=\s*(\d{1,18})\s*$")
GZIP = b"\x1f\x8b"
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|nan")
NUMERALS = b"0123456789+-.eE"  # of these alone `float` reads what ARPA files mean by a number
OTHER_SPACES = (b"\v", b"\f")  # `bytes.split` cuts at them; ARPA files do not
SEPARATORS = re.compile(rb"[ \t\r\n]+")
LOWEST, HIGHEST = -1e37, 99.0  # of a backoff, which float32 and a probability must bear
MOST_UNPACKED = 100  # times the size of a gzip file; models unpack to 3 to 6 times theirs
LITTLE = 2**20  # bytes that any file may unpack to
RULE = "a section must have as many entries as the header says"


@dataclass(frozen=True)
class Entries:
    """Some consecutive entries of a section.

    Attributes:
        line: the line number of the first.
        words: the n-grams' first, second, ... words, each a list.
        log_prob, backoff: base 10; a backoff that is left out is 0.
    """

    line: int
    words: list[list[bytes]]
    log_prob: np.ndarray
    backoff: np.ndarray


class Unpacked(io.RawIOBase):
    """The content of a gzip file, as long as it can be a model's.

    Args:
        file: the open file.
        size: its bytes before unpacking.
    """

    def __init__(self, file: gzip.GzipFile, size: int) -> None:
        self.file = file
        self.left = MOST_UNPACKED * size + LITTLE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; returns how many bytes came."""
        count = self.file.readinto(buffer)
        self.left -= count
        if self.left < 0:
            raise OSError(f"they unpack to more than {MOST_UNPACKED} times their size")
        return count


class ArpaFile:
    """An open ARPA file, plain or gzip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0  # of the line read last
        self.orders = 0
        try:
            self._raw: IO[bytes] = path.open("rb")
            compressed = self._raw.read(2) == GZIP
            self._raw.seek(0)
        except OSError as error:
            raise ZooError(f"cannot read {path}: {error.strerror}") from None
        self._file = self._raw
        if compressed:
            unpacked = Unpacked(gzip.GzipFile(fileobj=self._raw), path.stat().st_size)
            self._file = io.BufferedReader(unpacked, 2**17)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def fail(self, line: int, reason: str) -> NoReturn:
        """Refuse the file."""
        raise ZooError(f"{self.path}, line {line}: {reason}")

    def _lines(self, count: int) -> list[bytes]:
        """The next `count` lines, or as many as there are."""
        try:
            lines = list(islice(self._file, count))
        except (OSError, EOFError, zlib.error) as error:
            self.fail(self.number + 1, f"the gzip data are damaged ({error})")
        self.number += len(lines)
        return lines

    def _next_filled(self, expected: str) -> bytes:
        """The next line that is not blank, stripped."""
        line = b""
        while not line:
            lines = self._lines(1)
            if not lines:
                self.fail(self.number, f"the file ends where {expected} should stand")
            line = lines[0].strip()
        return line

    def header(self) -> list[int]:
        """How many n-grams there are of each order; what stands before `\\data\\` is skipped."""
        line = b""
        while line.removeprefix(BYTE_ORDER_MARK) != b"\\data\\":
            line = self._next_filled(r"\data\ (is it an ARPA file?)")
        counts: list[int] = []
        while lines := self._lines(1):
            line = lines[0].strip()
            if not line and counts:
                break
            found = COUNT.match(line)
            if line and (
                not found
                or int(found[1]) != len(counts) + 1
                or (counts == [] and int(found[2]) < 1)
            ):
                self.fail(self.number, f"{_shown(line)} is not 'ngram {len(counts) + 1}=COUNT'")
            if found:
                counts.append(int(found[2]))
        self.orders = len(counts)
        if not counts:
            self.fail(self.number, "the header has no 'ngram 1=COUNT'")
        return counts

    def section(self, k: int, count: int) -> Iterator[Entries]:
        """The entries of the section of k-grams, which must be `count`."""
        title = f"\\{k}-grams:"
        line = self._next_filled(title)
        if line != title.encode():
            self.fail(self.number, f"{_shown(line)} where {title} should stand; {RULE}")
        for start in range(0, count, CHUNK):
            wanted = min(CHUNK, count - start)
            first = self.number + 1
            lines = self._lines(wanted)
            yield self._parsed(k, first, lines)
            if len(lines) < wanted:
                self.fail(
                    self.number,
                    f"the file ends after {start + len(lines)} {k}-grams of the header's {count}",
                )

    def end(self) -> None:
        r"""Check that `\end\` follows."""
        line = self._next_filled("\\end\\")
        if line != b"\\end\\":
            self.fail(self.number, f"{_shown(line)} where \\end\\ should stand; {RULE}")

    def _parsed(self, k: int, first: int, lines: list[bytes]) -> Entries:
        rows = [fields_of(line) for line in lines]
        sizes = np.fromiter(map(len, rows), np.int64, len(rows))
        has_backoff = sizes == k + 2
        wrong = np.flatnonzero(~((sizes == k + 1) | has_backoff))
        if len(wrong):
            self._fail_row(k, first + int(wrong[0]), rows[wrong[0]])
        log_prob = self._numbers(first, [row[0] for row in rows], "log-probability")
        self._refuse(first, np.isnan(log_prob) | (log_prob > 0), rows, "log-probability", 0)
        backoff = self._numbers(
            first,
            [row[-1] if more else b"0" for row, more in zip(rows, has_backoff, strict=True)],
            "backoff",
        )
        self._refuse(first, ~((backoff > LOWEST) & (backoff < HIGHEST)), rows, "backoff", -1)
        if k == self.orders and backoff.any():
            place = int((backoff != 0).argmax())
            self.fail(first + place, f"backoff {_shown(rows[place][-1])} in the highest order")
        words = [[row[j] for row in rows] for j in range(1, k + 1)]
        return Entries(first, words, log_prob, backoff)

    def _fail_row(self, k: int, line: int, row: list[bytes]) -> NoReturn:
        """A line with too few or too many fields; most often the section is shorter than said."""
        if not row or row[0].startswith(b"\\"):
            self.fail(line, f"the {k}-grams end here, before the header's count of them")
        fields = f"{k + 1} or {k + 2}"
        self.fail(
            line, f"{len(row)} fields where a {k}-gram has {fields}: {_shown(b' '.join(row))}"
        )

    def _numbers(self, first: int, texts: list[bytes], what: str) -> np.ndarray:
        if b"".join(texts).translate(None, NUMERALS):
            self._check_numbers(first, texts, what)  # -inf; the rest is nothing but what fails
        try:
            return np.fromiter(map(float, texts), np.float64, len(texts))
        except ValueError:
            self._check_numbers(first, texts, what)
            raise

    def _check_numbers(self, first: int, texts: list[bytes], what: str) -> None:
        for line, text in enumerate(texts, first):
            if not NUMBER.fullmatch(text):
                self.fail(line, f"{what} {_shown(text)} is not a number")

    def _refuse(
        self, first: int, wrong: np.ndarray, rows: list[list[bytes]], what: str, field: int
    ) -> None:
        if wrong.any():
            place = int(wrong.argmax())
            value = float(rows[place][field])
            bound = f"is above {0 if field == 0 else HIGHEST:g}"
            reason = bound if value > 0 and math.isfinite(value) else "is not finite"
            self.fail(first + place, f"{what} {_shown(rows[place][field])} {reason}")


def fields_of(line: bytes) -> list[bytes]:
    """What spaces and tabs separate; a word may hold any other character."""
    if any(space in line for space in OTHER_SPACES):
        return [field for field in SEPARATORS.split(line) if field]
    return line.split()


def _shown(text: bytes) -> str:
    return repr(text[:60].decode("utf-8", "replace"))
