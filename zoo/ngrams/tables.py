"""The tables of an n-gram model with backoff: contexts and their followers in flat sorted arrays.

Level k holds the k-grams in the order of their words, so that the followers of one context are
one slice of the next level:

    begin[k][i] ... begin[k][i + 1]     where the followers of k-gram i stand in level k + 1
    words[k][j]                         the last word of k-gram j; rising within a slice
    log_prob[k][j]                      natural log P(last word | words before it)
    backoff[k][i]                       natural log of the weight of the shorter context where
                                        k-gram i, as a context, lacks a follower

Level 1 is addressed by the word's id. Every level has one more entry at the end, `missing`: the
k-gram that was never seen, with no followers and backoff 0, so that a lookup need not branch.

On disk each array is a .npy file, read by memory mapping, but for `begin`, which is kept as one bit
for each follower and each context: the followers of a context are that many zeros before a one.
It takes a tenth of the space, and is the only array that opening a model reads (`K.ends.npy`;
models saved before have `K.begin.npy`, which is mapped like the rest).
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap, read_array

from zoo.errors import ZooError

FOLDER = "tables"
MAPPED = ("words", "log_prob", "backoff")


@dataclass(frozen=True)
class TableLevel:
    """One level's arrays, each with the entry `missing` at its end.

    Attributes:
        words: last words [n + 1], uint16 or int32.
        log_prob: [n + 1] float32.
        backoff: [n + 1] float32; empty in the highest level.
        begin: [n + 2] int32 or int64; empty in the highest level.
    """

    words: np.ndarray
    log_prob: np.ndarray
    backoff: np.ndarray
    begin: np.ndarray

    def __len__(self) -> int:
        return len(self.words) - 1

    @property
    def missing(self) -> int:
        """The index that stands for a k-gram not in the table."""
        return len(self)


@dataclass(frozen=True)
class NGramTables:
    """The levels of a model, and what an unseen context costs.

    Attributes:
        levels: k-grams for k = 1 ... order.
        missing_backoff: added for a context that was never seen; 0 but in stupid backoff.
        monotone: whether no entry is less likely than what the backoff would give in its place.
    """

    levels: tuple[TableLevel, ...]
    missing_backoff: float = 0.0
    monotone: bool = False

    @property
    def order(self) -> int:
        return len(self.levels)

    @property
    def vocabulary_size(self) -> int:
        return len(self.levels[0])

    @property
    def bytes(self) -> int:
        """Size of all arrays."""
        names = (*MAPPED, "begin")
        return sum(getattr(level, name).nbytes for level in self.levels for name in names)

    @property
    def entries(self) -> int:
        """How many n-grams there are."""
        return sum(len(level) for level in self.levels)

    def save(self, directory: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Write `directory/tables/K.NAME.npy`.

        Args:
            directory: an existing directory; the caller makes the change atomic.
            dtype: of the log-probabilities and backoffs, "float32" or "float16".
        """
        if dtype not in ("float16", "float32"):
            raise ZooError(f"dtype {dtype!r}: tables are saved as 'float16' or 'float32'")
        folder = Path(directory) / FOLDER
        folder.mkdir(exist_ok=True)
        for k, level in enumerate(self.levels, 1):
            for name in MAPPED:
                values = getattr(level, name)
                if values.dtype == np.float32:
                    values = values.astype(dtype)
                np.save(folder / f"{k}.{name}.npy", values, allow_pickle=False)
            if k < self.order:
                np.save(folder / f"{k}.ends.npy", packed_ends(level.begin), allow_pickle=False)

    @classmethod
    def load(
        cls,
        directory: str | os.PathLike[str],
        order: int,
        missing_backoff: float = 0.0,
        monotone: bool = False,
    ) -> NGramTables:
        """Map what `save` wrote into memory; files that are no arrays are refused in one line.

        `zoo.ngrams.checks` says whether they are a model's.
        """
        folder = Path(directory) / FOLDER
        mapped = [
            [_mapped(folder / f"{k}.{name}.npy") for name in MAPPED] for k in range(1, order + 1)
        ]
        begins = [
            _begin(folder, k, len(mapped[k - 1][0]) - 1, len(mapped[k][0]) - 1)
            for k in range(1, order)
        ]
        pairs = zip(mapped, [*begins, np.zeros(0, np.int32)], strict=True)
        levels = [
            TableLevel(words, log_prob, backoff, begin)
            for (words, log_prob, backoff), begin in pairs
        ]
        return cls(tuple(levels), missing_backoff, monotone)


def _mapped(path: Path) -> np.ndarray:
    """A flat array from a .npy file, memory-mapped."""
    try:
        # An empty file cannot be mapped, and the highest level has empty arrays.
        if path.stat().st_size < 4096:
            values = read_array(io.BytesIO(path.read_bytes()), allow_pickle=False)
        else:
            values = open_memmap(path, mode="r")
    except FileNotFoundError:
        raise ZooError(f"{path} is missing: the preset is incomplete; save it again") from None
    except Exception as error:  # a header is read as Python's literals: anything may be wrong
        reason = " ".join(str(error).split())
        raise ZooError(f"{path} is damaged ({reason}); save the preset again") from None
    if values.ndim != 1 or values.dtype.kind not in "uif":
        raise ZooError(f"{path} holds {values.dtype} {values.shape}: not a table of this model")
    return np.asarray(values)  # still mapped, but a look-up is cheaper than through np.memmap


def packed_ends(begin: np.ndarray) -> np.ndarray:
    """`begin` as bits, eight to a byte: a one behind the zeros of each context's followers."""
    ends = begin[1:-1] + np.arange(len(begin) - 2)
    bits = np.zeros(int(begin[-1]) + len(ends), np.uint8)
    bits[ends] = 1
    return np.packbits(bits)


def unpacked_ends(packed: np.ndarray, size: int, followers: int) -> np.ndarray | None:
    """`begin` of `size` contexts from `packed_ends`; None where the numbers are not these."""
    if min(size, followers) < 0 or packed.dtype != np.uint8:
        return None
    if len(packed) != (size + followers + 7) // 8:
        return None
    ends = np.flatnonzero(np.unpackbits(packed, count=size + followers))
    if len(ends) != size:
        return None
    ends -= np.arange(size)
    begin = np.concatenate([[0], ends, [followers]])
    return begin.astype(np.int32 if followers < 2**31 else np.int64)


def _begin(folder: Path, k: int, size: int, followers: int) -> np.ndarray:
    """Level k's `begin`, read from either form."""
    path, older = folder / f"{k}.ends.npy", folder / f"{k}.begin.npy"
    if older.exists() and not path.exists():
        return _mapped(older)
    begin = unpacked_ends(_mapped(path), size, followers)
    if begin is None:
        raise ZooError(f"{folder}/{k}.*.npy do not fit together; save the preset again")
    return begin


def level_arrays(
    words: np.ndarray,
    log_prob: np.ndarray,
    backoff: np.ndarray | None,
    followers: np.ndarray | None,
    vocabulary_size: int,
) -> TableLevel:
    """A level from its k-grams in order, with the entry `missing` added.

    Args:
        words, log_prob: [n].
        backoff: [n], or None in the highest level.
        followers: how many k+1-grams continue each k-gram [n], or None in the highest level.
    """
    word_type = np.uint16 if vocabulary_size <= 2**16 else np.int32
    begin = np.zeros(0, np.int32)
    if followers is not None:
        ends = np.cumsum(followers, dtype=np.int64)
        total = int(ends[-1]) if len(ends) else 0
        begin = np.concatenate([[0], ends, [total]])
        begin = begin.astype(np.int32 if total < 2**31 else np.int64)
    return TableLevel(
        words=np.append(words, 0).astype(word_type),
        log_prob=np.append(log_prob, 0.0).astype(np.float32),
        backoff=np.zeros(0, np.float32)
        if backoff is None
        else np.append(backoff, 0.0).astype(np.float32),
        begin=begin,
    )
