r"""Reading ARPA files of any tool; a damaged file is refused with the line's number.

Fields may be separated by tabs or spaces, a backoff that is left out is 0, entries may come in
any order, an order above 1 may have none, and `<UNK>` is `<unk>`. -99 stands for the logarithm
of 0, as SRILM writes it. What is refused: a missing or wrong header, a section that is cut short,
numbers that are none, log-probabilities above 0, backoffs in the highest order, n-grams twice,
words that the unigrams lack or that no text can hold, and n-grams whose context has no entry.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.ngrams.arpa.file import ArpaFile, Entries
from zoo.ngrams.arpa.writing import NAMES, ZERO
from zoo.ngrams.counts import sorted_order
from zoo.ngrams.query import find
from zoo.ngrams.tables import NGramTables, TableLevel, level_arrays
from zoo.ngrams.top import is_monotone
from zoo.text import BOS, EOS, UNK
from zoo.text.vocabulary import CONTROL_TOKENS, is_storable

UNKNOWN = -100.0  # log10 P(<unk>) in a file without <unk>, as KenLM has it
CAPITALS = "<UNK>"  # another name of <unk>, as SRILM's and KenLM's
IDS = {name.encode(): i for i, name in NAMES.items()} | {CAPITALS.encode(): UNK}


def read_arpa(path: str | os.PathLike[str]) -> tuple[NGramTables, tuple[str, ...]]:
    """The tables and the vocabulary (likeliest words first) of an ARPA file, `.gz` or plain.

    Raises:
        ZooError: the file is damaged; the message has the line's number.
    """
    with ArpaFile(Path(path)) as file:
        counts = file.header()
        level, vocabulary = _unigrams(file, file.section(1, counts[0]), len(counts) > 1)
        ids = {word.encode(): i for i, word in enumerate(vocabulary) if i > EOS} | IDS
        levels = [level]
        for k, count in enumerate(counts[1:], 2):
            columns, lines, values = _gathered(file, file.section(k, count), ids, k)
            _add_level(file, levels, columns, lines, values, k < len(counts))
        file.end()
    tables = NGramTables(tuple(levels))
    return replace(tables, monotone=is_monotone(tables)), vocabulary


def _unigrams(
    file: ArpaFile, section: Iterable[Entries], inner: bool
) -> tuple[TableLevel, tuple[str, ...]]:
    """Level 1 without followers yet, and the vocabulary in its order."""
    values: dict[str, tuple[float, float]] = {}
    for part in section:
        rows = zip(part.words[0], part.log_prob.tolist(), part.backoff.tolist(), strict=True)
        for line, (word, log_prob, backoff) in enumerate(rows, part.line):
            name = _decoded(file, line, word)
            if name in values:
                file.fail(line, f"the 1-gram {name!r} stands there twice")
            values[name] = log_prob, backoff
    for name in ("<s>", "</s>"):
        if name not in values:
            file.fail(file.number, f"the 1-grams lack {name!r}")
    specials = {name: values.pop(name, (UNKNOWN, 0.0)) for name in NAMES.values()}
    words = sorted(values, key=lambda word: (-values[word][0], word))
    table = np.array(
        [
            (-np.inf, 0.0),
            *[specials[NAMES[i]] for i in (UNK, BOS, EOS)],
            *[values[word] for word in words],
        ]
    )
    table[table == ZERO] = -np.inf
    log_prob = table[:, 0]
    log_prob[BOS] = -np.inf  # the start of a sentence is given, not predicted
    level = _level(np.arange(len(table)), log_prob, table[:, 1], len(table), inner)
    return level, (*CONTROL_TOKENS, *words)


def _decoded(file: ArpaFile, line: int, word: bytes) -> str:
    try:
        name = word.decode("utf-8")
    except UnicodeDecodeError:
        file.fail(line, f"{word!r} is not UTF-8")
    if name in CONTROL_TOKENS and name != NAMES[UNK]:
        file.fail(line, f"the word {name!r} is a control token here; rename it in the file")
    if not is_storable(name):
        reason = "no text holds the NUL character in it; rename it in the file"
        file.fail(line, f"the word {name!r} could never be met: {reason}")
    return NAMES[UNK] if name == CAPITALS else name


def _gathered(
    file: ArpaFile, section: Iterable[Entries], ids: dict[bytes, int], k: int
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """A section's ids by column, line numbers, and log-probabilities with backoffs [n, 2]."""
    columns: list[list[np.ndarray]] = [[] for _ in range(k)]
    lines, values = [], []
    for part in section:
        size = len(part.log_prob)
        for j, words in enumerate(part.words):
            known = np.fromiter((ids.get(word, -1) for word in words), np.int32, size)
            if (known < 0).any():
                place = int((known < 0).argmax())
                name = words[place].decode("utf-8", "replace")
                file.fail(part.line + place, f"the word {name!r} is not among the 1-grams")
            columns[j].append(known)
        lines.append(np.arange(part.line, part.line + size))
        both = np.stack([part.log_prob, part.backoff], axis=1)
        values.append(np.where(both == ZERO, -np.inf, both))
    joined = [np.concatenate([np.zeros(0, np.int32), *parts]) for parts in columns]
    first = np.zeros(0, np.int64)
    return joined, np.concatenate([first, *lines]), np.concatenate([np.zeros((0, 2)), *values])


def _add_level(
    file: ArpaFile,
    levels: list[TableLevel],
    columns: list[np.ndarray],
    lines: np.ndarray,
    values: np.ndarray,
    inner: bool,
) -> None:
    """Sort a section's n-grams, hang them under their contexts, and append them as a level."""
    size, k = len(levels[0]), len(columns)
    at = sorted_order(columns, len(lines), size - 1)
    columns = [column[at] for column in columns]
    lines, values = lines[at], values[at]
    same = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    if same.any():
        twice = np.flatnonzero(same)[0]
        file.fail(int(lines[twice : twice + 2].max()), f"this {k}-gram stands there twice")
    parent = columns[0].astype(np.int64)
    tables = NGramTables(tuple(levels))
    for j in range(1, k - 1):
        parent = find(tables, j, parent, columns[j])
    lost = parent == levels[-1].missing
    if lost.any():
        file.fail(int(lines[lost].min()), f"this {k}-gram's first {k - 1} words have no entry")
    followers = np.bincount(parent, minlength=len(levels[-1]))
    levels[-1] = level_arrays(
        levels[-1].words[:-1],
        levels[-1].log_prob[:-1],
        levels[-1].backoff[:-1],
        followers,
        size,
    )
    levels.append(_level(columns[-1], values[:, 0], values[:, 1], size, inner))


def _level(
    words: np.ndarray, log_prob: np.ndarray, backoff: np.ndarray, size: int, inner: bool
) -> TableLevel:
    """A level from base-10 values, its followers not known yet."""
    ln10 = np.log(10)
    return level_arrays(words, log_prob * ln10, backoff * ln10 if inner else None, None, size)
