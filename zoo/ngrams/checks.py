"""Whether tables read from disk are those of a model: shapes, order, range and finiteness.

Every array is read once and judged as whole numbers, whose order is that of the floats that they
are the bits of: 25 ms for the 2.2 million entries of kn5_tatoeba_en.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NoReturn

import numpy as np

from zoo.errors import ZooError
from zoo.ngrams.estimation import SMOOTHINGS
from zoo.ngrams.tables import NGramTables, TableLevel

FLOATS: dict[np.dtype, tuple[type, type]] = {
    np.dtype(np.float16): (np.int16, np.uint16),
    np.dtype(np.float32): (np.int32, np.uint32),
}
WORDS = (np.dtype(np.uint16), np.dtype(np.int32))
OFFSETS = (np.dtype(np.int32), np.dtype(np.int64))
ROUNDING = 1e-3  # above 0, the logarithm of 1
LARGEST_BACKOFF = 230.0  # of other tools' models, whose weights may be above 1: e^230 is 1e100


def check_settings(
    path: Path,
    smoothing: str,
    order: int,
    missing_backoff: float = 0.0,
    monotone: bool = False,
) -> None:
    """Refuse values of a config.json with which no tables can be read."""
    known = (*SMOOTHINGS, "arpa")
    if smoothing not in known:
        raise ZooError(f"{path}: smoothing {smoothing!r} is none of {', '.join(known)}")
    if type(order) is not int or order < 1:
        raise ZooError(f"{path}: order {order!r} is not a whole number above 0")
    if type(missing_backoff) not in (int, float) or not -math.inf < missing_backoff <= 0:
        raise ZooError(f"{path}: missing_backoff {missing_backoff!r} is not a number of at most 0")
    if type(monotone) is not bool:
        raise ZooError(f"{path}: monotone {monotone!r} is neither true nor false")


def check_tables(tables: NGramTables, folder: Path, smoothing: str) -> None:
    """Refuse tables with which a look-up would leave the arrays, never end, or give no number.

    Args:
        tables: as they were read.
        folder: where, for the message.
        smoothing: what made them; the weights are above 1 only in models of other tools.

    Raises:
        ZooError: something is wrong; the message names the file.
    """
    largest_backoff = LARGEST_BACKOFF if smoothing == "arpa" else ROUNDING
    for k, level in enumerate(tables.levels, 1):
        followers = len(tables.levels[k]) if k < tables.order else None
        _check_shapes(level, followers, f"{folder}/{k}")
        _check_floats(level.log_prob, ROUNDING, f"{folder}/{k}.log_prob.npy")
        if followers is not None:
            _check_floats(level.backoff, largest_backoff, f"{folder}/{k}.backoff.npy")
            _check_offsets(level, f"{folder}/{k}.begin.npy")
        if level.log_prob[-1] or (followers is not None and level.backoff[-1]):
            _fail(f"{folder}/{k}.*.npy", "give values to what was never seen")
        _check_words(tables, k, f"{folder}/{k}.words.npy")


def _fail(file: str, reason: str) -> NoReturn:
    raise ZooError(f"{file} {reason}; save the preset again")


def _check_shapes(level: TableLevel, followers: int | None, start: str) -> None:
    """Lengths fit together; types are those that `save` writes."""
    inner = followers is not None
    lengths = (len(level.log_prob), len(level.backoff), len(level.begin))
    wanted = (len(level) + 1, (len(level) + 1) * inner, (len(level) + 2) * inner)
    if len(level) < 0 or lengths != wanted:
        _fail(f"{start}.*.npy", "do not fit together")
    floats = (level.log_prob.dtype, level.backoff.dtype)
    if level.words.dtype not in WORDS or not all(dtype in FLOATS for dtype in floats):
        _fail(f"{start}.*.npy", "have the wrong types")
    if level.begin.dtype not in OFFSETS:
        _fail(f"{start}.*.npy", "have the wrong types")
    if inner and (level.begin[0] != 0 or list(level.begin[-2:]) != [followers, followers]):
        _fail(f"{start}.*.npy", "do not fit together")


def _check_floats(values: np.ndarray, largest: float, file: str) -> None:
    """All from -inf to `largest`, none NaN."""
    signed, unsigned = FLOATS[values.dtype]
    limit = np.array([largest], values.dtype).view(signed)[0]
    # Positive floats rise with their bits, and NaN is above them all; with the sign they fall.
    if values.view(signed).max() > limit:
        _fail(file, f"holds {_largest(values)}: values are at most {largest:g}")
    if values.view(unsigned).max() > np.array([-np.inf], values.dtype).view(unsigned)[0]:
        _fail(file, "holds NaN")


def _largest(values: np.ndarray) -> str:
    return f"{float(values.max()):g}"  # NaN where there is one


def _check_offsets(level: TableLevel, file: str) -> None:
    if (level.begin[1:] < level.begin[:-1]).any():
        _fail(file, "does not rise")


def _check_words(tables: NGramTables, k: int, file: str) -> None:
    """Ids of the vocabulary, rising among the followers of each context."""
    words = tables.levels[k - 1].words[:-1]
    if k == 1:
        if not np.array_equal(words, np.arange(len(words), dtype=words.dtype)):
            _fail(file, "are not the vocabulary's ids in their order")
        return
    if len(words) and not 0 <= words.min() <= words.max() < tables.vocabulary_size:
        _fail(file, f"holds ids outside 0 ... {tables.vocabulary_size - 1}")
    rising = np.append(True, words[1:] > words[:-1])
    rising = np.append(rising[: len(words)], True)
    rising[tables.levels[k - 2].begin] = True  # where the followers of a context start
    if not rising.all():
        _fail(file, "does not rise among the followers of one context")
