"""From files to a `Corpus`, with one-line errors."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from training.datasets.corpus import Corpus, Pair, pairs_corpus, sentences_corpus
from training.datasets.sources import Source
from zoo.errors import ZooError
from zoo.io import read_text_lines
from zoo.models.base import Kind

logger = logging.getLogger("zoo")


def read_source(source: Source, data_dir: Path) -> Corpus:
    """A named corpus from its files below `data_dir`."""
    paths = [data_dir / file for file in source.files]
    for path in paths:
        if not path.is_file():
            raise ZooError(
                f"{source.name}: {path} is missing; give --data-dir a folder with "
                f"{source.files[0]} (from {source.url})"
            )
    _check_hash(paths[0], source)
    if source.name == "tatoeba_en":
        return sentences_corpus(source, read_lines(paths[0]))
    if source.name == "tatoeba_de_en":
        return pairs_corpus(source, read_lines(paths[0]))
    parts = _parallel(paths) if len(paths) == 6 else [read_lines(path) for path in paths]
    train, valid, test = parts
    return Corpus(
        source.name, train, valid, test, source.licence, source.attribution, source.is_stream
    )


def own_corpus(name: str, paths: list[Path], kind: Kind | None = None) -> Corpus:
    """A user's files: sentences, or pairs (source TAB target).

    Args:
        name: of the corpus.
        paths: of the three splits.
        kind: which of the two; None: pairs if every line has a tab, sentences if none has.
    """
    parts: list[list[Any]] = [read_lines(path) for path in paths]
    if (kind or _kind_of(parts, paths)) == "pairs":
        parts = [_pairs(part, path) for part, path in zip(parts, paths, strict=True)]
    train, valid, test = parts
    return Corpus(name, train, valid, test, licence="the user's own data")


def _kind_of(parts: list[list[str]], paths: list[Path]) -> Kind:
    """Which kind the files hold; refused where only some of the lines have a tab."""
    has_tab = [["\t" in line for line in part if line.strip()] for part in parts]
    if not any(map(any, has_tab)):
        return "sentences"
    if all(map(all, has_tab)):
        return "pairs"
    place = next(k for k, part in enumerate(has_tab) if not all(part))
    raise ZooError(
        f"{paths[place]}: {sum(has_tab[place])} of {len(has_tab[place])} lines have a tab; say "
        "what the model reads: kind='sentences' (text with tabs) or 'pairs' (source TAB target)"
    )


def _pairs(lines: list[str], path: Path) -> list[Pair]:
    found = []
    for number, line in enumerate(lines, 1):
        source, tab, target = line.partition("\t")
        if line.strip() and not tab:
            raise ZooError(
                f"{path}, line {number}: {line!r:.60} has no tab between source and target"
            )
        if line.strip():
            found.append(Pair(source, target, (target,)))
    return found


def _parallel(paths: list[Path]) -> list[list[Pair]]:
    """Splits from files that come two by two: source language, target language."""
    parts = []
    for source_path, target_path in zip(paths[::2], paths[1::2], strict=True):
        sources, targets = read_lines(source_path), read_lines(target_path)
        if len(sources) != len(targets):
            raise ZooError(
                f"{source_path} has {len(sources)} lines, {target_path} has {len(targets)}"
            )
        parts.append([Pair(s, t, (t,)) for s, t in zip(sources, targets, strict=True)])
    return parts


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without empty ones at its end."""
    lines = read_text_lines(path)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _check_hash(path: Path, source: Source) -> None:
    """Figures are comparable only on the same file: say so where it is another one."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != source.sha256:
        logger.info("%s is not the published file: its figures are its own", path)
