"""A corpus by its name or from files of one's own: read from a data folder, or downloaded."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from training.datasets.corpus import SPLITS, Corpus, reverse
from training.datasets.fetch import check_reachable, tfds_folder
from training.datasets.labelled import languages_of, own_labelled
from training.datasets.raw_text import raw_corpus
from training.datasets.readers import own_corpus, read_source
from training.datasets.sources import SOURCES
from training.datasets.text_files import TextFiles, is_gzip
from zoo.errors import ZooError, did_you_mean
from zoo.models.base import Kind

SHARDS = ("train.txt.gz", "train-*.txt", "train-*.txt.gz")
LARGEST_HELD = 64 * 2**20  # bytes
RAW = {"wikitext2_raw": "wikitext2"}
REVERSED = {"tatoeba_en_de": "tatoeba_de_en", "multi30k_en_de": "multi30k_de_en"}


def load(
    name_or_path: str,
    data_dir: str | os.PathLike[str] | None = None,
    kind: Kind | None = None,
) -> Corpus:
    """A corpus by name from the data folder, or from files of one's own.

    Args:
        name_or_path: `tatoeba_en`, `ptb`, `wikitext2`, `wikitext2_raw`, `tatoeba_de_en`,
            `tatoeba_en_de`, `multi30k_de_en`, `multi30k_en_de`; or a UTF-8 file with one sentence
            a line (translation: source TAB target), which then is all three splits; or a folder
            with `train.txt`, `valid.txt` and `test.txt`; with labels as
            training.datasets.labelled has them. Training sentences may also be `train.txt.gz` or
            shards `train-*.txt` and `train-*.txt.gz`; these, and a train.txt of over 64 MB, are
            not read into memory.
        data_dir: the folder with the corpora; None downloads through TensorFlow Datasets.
            (`tfds:NAME` is any data set of TFDS with one text or a pair of texts, prepared below
            `data_dir` or the cache.)
        kind: what the model needs (its class's `reads`): "sentences", in which a tab is white
            space, "pairs", "tagged" (a label a word) or "labelled" (a label a text; of a corpus
            of pairs, the language of each sentence). Unless given, files of one's own are pairs if
            every line has a tab.

    Raises:
        ZooError: unknown name, missing file, a file that is not UTF-8 text, or a corpus of the
            other kind, or of neither.
    """
    _check_kind(name_or_path, kind)
    if kind == "labelled" and name_or_path in (*SOURCES, *REVERSED):
        return languages_of(load(name_or_path, data_dir, "pairs"))
    if name_or_path in REVERSED:
        return reverse(load(REVERSED[name_or_path], data_dir), name_or_path)
    if name_or_path in RAW:
        return raw_corpus(load(RAW[name_or_path], data_dir, kind), name_or_path)
    if name_or_path.startswith("tfds:"):
        from training.datasets.tfds_corpus import any_corpus

        return any_corpus(name_or_path, data_dir)
    path = Path(name_or_path)
    if name_or_path in SOURCES:
        if data_dir is None:
            if not (tfds_folder() / name_or_path).exists():
                check_reachable(SOURCES[name_or_path].url)
            from training.datasets.tfds_corpus import prepared

            return prepared(name_or_path)
        return read_source(SOURCES[name_or_path], Path(data_dir))
    if kind in ("tagged", "labelled") and path.exists():
        return own_labelled(name_or_path, kind)
    if path.is_dir():
        return folder_corpus(path, kind)
    if path.is_file():
        return own_corpus(name_or_path, [path] * 3, kind)
    known = (*SOURCES, *RAW, *REVERSED)
    guess = did_you_mean(name_or_path, known)
    raise ZooError(f"no data set or file {name_or_path!r}{guess}; data sets are {', '.join(known)}")


def folder_corpus(path: Path, kind: Kind | None) -> Corpus:
    """A user's folder; large or sharded training sentences stay in their files."""
    held = [path / f"{part}.txt" for part in SPLITS]
    shards = [held[0]] if held[0].is_file() else [f for p in SHARDS for f in sorted(path.glob(p))]
    large = any(is_gzip(shard) for shard in shards) or shards != held[:1]
    if kind != "sentences" or not (large or shards[0].stat().st_size > LARGEST_HELD):
        return own_corpus(str(path), held, kind)
    corpus = own_corpus(str(path), [held[1], *held[1:]], "sentences")
    return replace(corpus, train=TextFiles(tuple(shards)))


def _check_kind(name: str, kind: Kind | None) -> None:
    """Refuse a named corpus of the other kind, before it is read or downloaded."""
    if kind is None or name not in (*SOURCES, *REVERSED):
        return
    is_pairs = SOURCES[REVERSED.get(name, name)].is_pairs
    if is_pairs and kind == "sentences":
        raise ZooError(f"{name} holds sentence pairs, for translators; this model reads sentences")
    if kind == "tagged" or (kind == "labelled" and not is_pairs):
        form = "CoNLL columns" if kind == "tagged" else "label TAB text"
        raise ZooError(f"{name} holds no labels; give a file of {form}")
    if kind == "pairs" and not is_pairs:
        raise ZooError(f"{name} holds no sentence pairs; a translation needs them")
