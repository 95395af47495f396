"""TensorFlow Datasets builders of the corpora, for pipelines that speak TFDS.

A record holds up to 1,000 lines: one line a record reads a hundred times slower. The files come
from the manual download folder if they lie there, else from their public address.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from training.datasets.corpus import SPLITS, Corpus, Pair
from training.datasets.readers import read_source
from training.datasets.sources import SOURCES, Source
from zoo.errors import ZooError
from zoo.io import cache_folder, read_text_lines, write_atomically

LINES_A_RECORD = 1_000


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Sentences as `lines`; pairs as `source`, `target` and tab-separated `references`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Splits by hash of the sentence."}  # noqa: RUF012

    @property
    def source(self) -> Source:
        return SOURCES[self.name]

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Sequence(tfds.features.Text())
        names = ("source", "target", "references") if self.source.is_pairs else ("lines",)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(dict.fromkeys(names, text)),
            homepage=self.source.url,
            description=f"{self.source.description}. {self.source.licence}.",
            citation=self.source.attribution,
            license=self.source.licence,
            disable_shuffling=True,  # running text has an order
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        corpus = read_source(self.source, self._folder(dl_manager))
        return {part: self._generate_examples(getattr(corpus, part)) for part in SPLITS}

    def _folder(self, dl_manager: tfds.download.DownloadManager) -> Path:
        manual = Path(str(dl_manager._manual_dir or ""))
        if all((manual / file).is_file() for file in self.source.files):
            return manual
        return download(self.source, dl_manager)

    def _generate_examples(self, examples: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for start in range(0, len(examples), LINES_A_RECORD):
            chunk = examples[start : start + LINES_A_RECORD]
            if self.source.is_pairs:
                yield (
                    start,
                    {
                        "source": [pair.source for pair in chunk],
                        "target": [pair.target for pair in chunk],
                        "references": ["\t".join(pair.references) for pair in chunk],
                    },
                )
            else:
                yield start, {"lines": chunk}


def download(source: Source, dl_manager: tfds.download.DownloadManager) -> Path:
    """The corpus's files from their public address, laid out as in a data folder."""
    folder = cache_folder() / "data"
    for file in source.files:
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.url.endswith(".zip"):
            archive = Path(str(dl_manager.download_and_extract(source.url)))
            lines = read_text_lines(archive / "deu.txt")
            english = dict.fromkeys(line.split("\t")[0] for line in lines)
            kept = english if file.endswith("eng.txt") else lines
            write_atomically(target, "".join(f"{line}\n" for line in kept))
        else:
            fetched = Path(str(dl_manager.download(source.url + Path(file).name)))
            write_atomically(target, fetched.read_bytes())
    return folder


class TatoebaEn(_Builder):
    """Everyday English sentences."""


class TatoebaDeEn(_Builder):
    """Everyday German sentences with their English translations."""


class Ptb(_Builder):
    """Penn Treebank."""


class Wikitext2(_Builder):
    """WikiText-2."""


class Multi30kDeEn(_Builder):
    """Multi30k captions."""


BUILDERS = {cls.name: cls for cls in (TatoebaEn, TatoebaDeEn, Ptb, Wikitext2, Multi30kDeEn)}


def prepared(
    name: str, data_dir: str | None = None, manual_dir: str | os.PathLike[str] | None = None
) -> Corpus:
    """A corpus through its TFDS builder, prepared (and downloaded) if it is not yet."""
    builder = BUILDERS[name](data_dir=data_dir or str(cache_folder() / "tfds"))
    config = tfds.download.DownloadConfig(
        manual_dir=str(manual_dir) if manual_dir else None, try_download_gcs=False
    )
    try:
        builder.download_and_prepare(download_config=config)
    except ZooError:
        raise
    except Exception as error:  # TFDS passes on what any of many libraries raised
        reason = " ".join(str(error).split())[:200]
        url = SOURCES[name].url
        raise ZooError(
            f"{name} could not be fetched from {url} ({reason}); give --data-dir"
        ) from None
    parts = {part: _examples(builder, part) for part in SPLITS}
    source = SOURCES[name]
    return Corpus(
        name,
        **parts,
        licence=source.licence,
        attribution=source.attribution,
        is_stream=source.is_stream,
    )


def _examples(builder: tfds.core.DatasetBuilder, part: str) -> list[Any]:
    """All lines or pairs of a split, in order."""
    config = tfds.ReadConfig(interleave_cycle_length=1)
    records = tfds.as_numpy(builder.as_dataset(split=part, read_config=config))
    found: list[Any] = []
    for record in records:
        texts = {name: [line.decode() for line in lines] for name, lines in record.items()}
        if "lines" in texts:
            found += texts["lines"]
        else:
            columns = zip(texts["source"], texts["target"], texts["references"], strict=True)
            found += [Pair(s, t, tuple(r.split("\t"))) for s, t, r in columns]
    return found
