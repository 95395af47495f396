"""A corpus as ids on disk: tokenised once, mapped into memory, read where a batch needs it.

    FOLDER/KEY/ids        every sentence's ids, each followed by `<eos>`, one after another
    FOLDER/KEY/offsets    where each sentence begins, and the end; int64

KEY is a hash of the text's bytes and of the tokenizer, so that another text or vocabulary has a
map of its own; a map appears whole or not at all. The text is cut into pieces, which processes
tokenise side by side.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

from training.datasets.text_files import Piece, TextFiles
from zoo.io import cache_folder, replaced_directory
from zoo.processors import usable_cores
from zoo.text import EOS, Tokenizer, WordTokenizer

FORMAT = 1
SMALL = 2**16  # ids below it take two bytes
COUNTED_TOGETHER = 2**20  # sentences whose lengths are looked at at a time
LEAST_FOR_PROCESSES = 4  # pieces: fewer are done before other processes have started

Result = TypeVar("Result")


class TokenMap(Sequence[np.ndarray]):
    """Sentences of ids that lie on disk.

    Args:
        folder: as `token_map` wrote it.
    """

    def __init__(self, folder: Path) -> None:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        self.folder = folder
        self.stream = np.memmap(folder / "ids", np.dtype(facts["dtype"]), "r")
        self.offsets = np.memmap(folder / "offsets", np.int64, "r")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, place: int) -> np.ndarray:  # type: ignore[override]
        if not 0 <= place < len(self):
            raise IndexError(place)
        start, stop = self.offsets[place : place + 2]
        return np.asarray(self.stream[start : stop - 1], np.int32)

    def lengths(self, places: np.ndarray) -> np.ndarray:
        """Targets of some sentences, `<eos>` among them."""
        return np.asarray(self.offsets[places + 1] - self.offsets[places])

    def counted_lengths(self, longest: int) -> np.ndarray:
        """How many sentences have each number of targets, longer ones as `longest`."""
        counts = np.zeros(longest + 1, np.int64)
        for start in range(0, len(self), COUNTED_TOGETHER):
            lengths = np.diff(self.offsets[start : start + COUNTED_TOGETHER + 1])
            counts += np.bincount(np.minimum(lengths, longest), minlength=longest + 1)
        return counts


def token_map(text: TextFiles, tokenizer: Tokenizer, folder: Path | None = None) -> TokenMap:
    """The map of a text under a tokenizer, made unless it is there.

    Args:
        text: the files.
        tokenizer: gives the ids.
        folder: where maps are kept; the cache's unless given.
    """
    home = folder or cache_folder() / "token_maps"
    target = home / key_of(text, tokenizer)
    if not (target / "facts.json").is_file():
        with replaced_directory(target) as temporary:
            _write(text, tokenizer, temporary)
    return TokenMap(target)


def key_of(text: TextFiles, tokenizer: Tokenizer) -> str:
    """The same for the same text and tokenizer."""
    parts = [FORMAT, text.sha256, type(tokenizer).__name__, tokenizer.get_config()]
    sums = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    sums.update("\n".join(tokenizer.vocabulary).encode())
    return sums.hexdigest()[:32]


def count_words(text: TextFiles, cutter: WordTokenizer) -> Counter[str]:
    """How often each word of a text occurs, as `cutter` cuts it."""
    counts: Counter[str] = Counter()
    with _each(partial(_count, cutter), text.pieces()) as found:
        for of_piece in found:
            counts.update(of_piece)
    return counts


def _count(cutter: WordTokenizer, piece: Piece) -> Counter[str]:
    counts: Counter[str] = Counter()
    for lines in piece.blocks():
        for line in lines:
            counts.update(cutter.tokenize(line))
    return counts


def _write(text: TextFiles, tokenizer: Tokenizer, folder: Path) -> None:
    """The pieces' files, joined in order as they come."""
    dtype = np.dtype(np.uint16 if tokenizer.vocabulary_size <= SMALL else np.int32)
    pieces = list(enumerate(text.pieces()))
    end = 0
    with (folder / "ids").open("wb") as ids, (folder / "offsets").open("wb") as offsets:
        np.zeros(1, np.int64).tofile(offsets)
        with _each(partial(_tokenise, tokenizer, dtype, folder), pieces) as found:
            for part in found:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, ids, 2**24)
                lengths = np.fromfile(part.with_suffix(".lengths"), np.int64)
                places = end + np.cumsum(lengths)
                places.tofile(offsets)
                end = int(places[-1]) if len(places) else end
                part.unlink()
                part.with_suffix(".lengths").unlink()
    (folder / "facts.json").write_text(json.dumps({"dtype": dtype.name, "tokens": end}))


def _tokenise(
    tokenizer: Tokenizer, dtype: np.dtype, folder: Path, numbered: tuple[int, Piece]
) -> Path:
    """One piece's ids and lengths, in files of its own."""
    number, piece = numbered
    part = folder / f"part{number}.ids"
    with part.open("wb") as ids, part.with_suffix(".lengths").open("wb") as lengths:
        for lines in piece.blocks():
            rows = [[*tokenizer.encode(line), EOS] for line in lines]
            np.fromiter((i for row in rows for i in row), dtype).tofile(ids)
            np.fromiter(map(len, rows), np.int64).tofile(lengths)
    return part


@contextmanager
def _each(work: Callable[..., Result], items: Sequence[object]) -> Iterator[Iterator[Result]]:
    """`map` over the items: by a process a core where there are enough of them."""
    if len(items) < LEAST_FOR_PROCESSES or usable_cores() == 1:
        yield map(work, items)
        return
    # New processes, not forks: this one may have TensorFlow's threads.
    with ProcessPoolExecutor(usable_cores(), get_context("spawn")) as pool:
        yield pool.map(work, items)
