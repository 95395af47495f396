r"""ARPA files: the text form of n-gram models that KenLM, SRILM and others exchange.

    \data\
    ngram 1=10002
    ...
    \1-grams:
    -1.6812928 TAB </s> TAB 0
    ...
    \end\

An entry is a base-10 log-probability, the words, and in all but the highest order the base-10 log
of the backoff weight. `<bos>`, `<eos>` and `<unk>` are `<s>`, `</s>` and `<unk>` there.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from zoo.errors import ZooError
from zoo.io import replaced_file
from zoo.ngrams.tables import NGramTables
from zoo.text import BOS, EOS, UNK
from zoo.text.codepoints import ASCII_SPACES

if TYPE_CHECKING:
    import polars

NAMES = {UNK: "<unk>", BOS: "<s>", EOS: "</s>"}
ZERO = -99.0  # stands for the logarithm of 0
CHUNK = 500_000  # entries formatted at a time


def write_arpa(
    tables: NGramTables, vocabulary: Sequence[str], path: str | os.PathLike[str]
) -> None:
    """Write a model as an ARPA file, gzip if the name ends in `.gz`, atomically.

    Raises:
        ZooError: the model is stupid backoff, or a word has a name that the format keeps, or
            holds a space.
    """
    if tables.missing_backoff:
        raise ZooError("an ARPA file has no place for stupid backoff; use smoothing='kneser_ney'")
    names = [NAMES.get(i, word) for i, word in enumerate(vocabulary)]
    kept = {*NAMES.values(), "<UNK>"} & {word for i, word in enumerate(names) if i not in NAMES}
    if kept:
        raise ZooError(f"the vocabulary has the word {min(kept)!r}, a name that ARPA files keep")
    cut = next((name for name in names if any(space in name for space in ASCII_SPACES)), None)
    if cut is not None:
        raise ZooError(f"the vocabulary has the word {cut!r}: an ARPA file would cut it in two")
    with replaced_file(path) as temporary, _opened(temporary) as file:
        _write(tables, names, file)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "wb", compresslevel=6))
    return path.open("wb")


def _write(tables: NGramTables, names: Sequence[str], file: IO[bytes]) -> None:
    sizes = [len(level) for level in tables.levels]
    sizes[0] -= 1  # <pad> is no word
    header = [f"ngram {k}={size}\n" for k, size in enumerate(sizes, 1)]
    file.write("".join(["\\data\\\n", *header]).encode())
    for k, (columns, entries) in enumerate(zip(word_columns(tables), sizes, strict=True), 1):
        file.write(f"\n\\{k}-grams:\n".encode())
        level = tables.levels[k - 1]
        first = len(level) - entries
        for start in range(first, len(level), CHUNK):
            rows = slice(start, min(start + CHUNK, len(level)))
            backoff = level.backoff[rows] if k < tables.order else None
            ids = [column[rows] for column in columns]
            write_entries(file, names, ids, level.log_prob[rows], backoff)
    file.write(b"\n\\end\\\n")


def word_columns(tables: NGramTables) -> Iterator[list[np.ndarray]]:
    """For each level the n-grams' first, second, ... words; arrays [n] each."""
    columns = [np.arange(tables.vocabulary_size)]
    yield columns
    for level, above in zip(tables.levels[:-1], tables.levels[1:], strict=True):
        parent = np.repeat(np.arange(len(level)), np.diff(level.begin[:-1]))
        columns = [*[column[parent] for column in columns], np.asarray(above.words[:-1])]
        yield columns


def write_entries(
    file: IO[bytes],
    names: Sequence[str],
    ids: Sequence[np.ndarray],
    log_prob: np.ndarray,
    backoff: np.ndarray | None,
) -> None:
    """Entries of one section: by Polars, for its speed (see docs/speed.md)."""
    import polars as pl

    words = pl.Series(names)
    ngram = pl.DataFrame({str(k): words.gather(column) for k, column in enumerate(ids)})
    table = {
        "log_prob": _base_10(log_prob),
        "ngram": ngram.select(pl.concat_str(pl.all(), separator=" ")).to_series(),
    }
    if backoff is not None:
        table["backoff"] = _base_10(backoff)
    pl.DataFrame(table).write_csv(
        file,
        include_header=False,
        separator="\t",
        quote_style="never",
        float_precision=7,
        float_scientific=False,
    )


def _base_10(values: np.ndarray) -> polars.Series:
    import polars as pl

    base_10 = values.astype(np.float64) / np.log(10)
    return pl.Series(np.where(base_10 > -np.inf, base_10, ZERO))
