"""Data with labels: CoNLL columns (a label a word), `label TAB text` (a label a text), languages.

    CoNLL     a word a line, white space between its columns: the first is the word, the last its
              label; an empty line ends a sentence; -DOCSTART- lines are passed over
    CoNLL-U   by the suffix .conllu: the columns FORM and UPOS, without comments and word ranges
    TSV       label TAB text, a text a line

A corpus of translations is one of languages too: each of its sentences with the language it is in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.datasets.corpus import SPLITS, Corpus, Pair
from zoo.errors import ZooError
from zoo.io import read_text_lines
from zoo.models.base import Kind

SUFFIXES = {"tagged": (".conll", ".conllu", ".txt"), "labelled": (".tsv", ".txt")}
DOCUMENT = "-DOCSTART-"
CONLL_U_COLUMNS = 10


@dataclass(frozen=True)
class TaggedWords:
    """A sentence as words that are cut already, and the label of each."""

    words: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def plain(self) -> str:
        """The sentence without its labels."""
        return " ".join(self.words)


@dataclass(frozen=True)
class LabelledText:
    """A text and its label."""

    text: str
    label: str

    @property
    def plain(self) -> str:
        """The text without its label."""
        return self.text


def own_labelled(name: str, kind: Kind) -> Corpus:
    """A user's file, which then is all three splits, or a folder with one file a split.

    Args:
        name: the path.
        kind: "tagged" (CoNLL or CoNLL-U) or "labelled" (TSV).
    """
    path = Path(name)
    paths = [_split_file(path, part, SUFFIXES[kind]) for part in SPLITS]
    if not path.is_dir():
        paths = [path] * len(SPLITS)
    read = read_tagged if kind == "tagged" else read_labelled
    train, valid, test = (read(file) for file in paths)
    return Corpus(name, train, valid, test, licence="the user's own data")


def _split_file(folder: Path, part: str, suffixes: Sequence[str]) -> Path:
    """A split's file under the first suffix that there is one of."""
    found = [path for suffix in suffixes if (path := folder / f"{part}{suffix}").is_file()]
    return found[0] if found else folder / f"{part}{suffixes[0]}"


def read_tagged(path: Path) -> list[TaggedWords]:
    """The sentences of a file of columns.

    Raises:
        ZooError: a line with one column, named by its number.
    """
    is_universal = path.suffix == ".conllu"
    found: list[TaggedWords] = []
    words: list[tuple[str, str]] = []
    for number, line in enumerate([*read_text_lines(path), ""], 1):
        if not line.strip():
            if words:
                found.append(TaggedWords(*(tuple(part) for part in zip(*words, strict=True))))
            words = []
        elif not line.startswith(DOCUMENT):
            columns = line.split("\t") if "\t" in line else line.split()
            words += _universal(columns) if is_universal else [_first_and_last(columns)]
            if words and not all(words[-1]):
                raise ZooError(
                    f"{path}, line {number}: {line!r:.60} has no word and label; write a word, "
                    "white space and its label, and an empty line after each sentence"
                )
    return found


def _first_and_last(columns: Sequence[str]) -> tuple[str, str]:
    return (columns[0].strip(), columns[-1].strip() if len(columns) > 1 else "")


def _universal(columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """FORM and UPOS of a line that is a word: no comment, no range 1-2, no empty node 1.1."""
    if columns[0].isdigit():
        whole = len(columns) == CONLL_U_COLUMNS
        yield (columns[1], columns[3]) if whole else ("", "")


def read_labelled(path: Path) -> list[LabelledText]:
    """The texts of a file of `label TAB text`.

    Raises:
        ZooError: a line without a tab, named by its number.
    """
    found = []
    for number, line in enumerate(read_text_lines(path), 1):
        label, tab, text = line.partition("\t")
        if line.strip() and not (tab and label.strip()):
            raise ZooError(f"{path}, line {number}: {line!r:.60}; write label TAB text")
        if line.strip():
            found.append(LabelledText(text, label.strip()))
    return found


def languages_of(corpus: Corpus) -> Corpus:
    """The sentences of a corpus of translations with the two languages that its name ends with."""
    *_, source, target = corpus.name.split("_")
    train, valid, test = (_sides(getattr(corpus, part), source, target) for part in SPLITS)
    return replace(corpus, train=train, valid=valid, test=test)


def _sides(pairs: Iterable[Pair], source: str, target: str) -> list[LabelledText]:
    """Both sides of the pairs, each sentence once."""
    both = (
        side
        for pair in pairs
        for side in (LabelledText(pair.source, source), LabelledText(pair.target, target))
    )
    return list(dict.fromkeys(both))
