"""TensorFlow Datasets builders of the corpora: `tfds.load("tatoeba_de_en")` and its like.

    >>> import tensorflow_datasets as tfds, training.datasets.builders      # doctest: +SKIP
    >>> tfds.load("tatoeba_de_en/en_de", split="validation[:10%]", as_supervised=True)

An example is a sentence (`text`) or a pair (`source`, `target` and the list of `references`), in
the splits `train`, `validation` and `test`. The files come from the manual download folder
(`manual_dir`) if they lie there, else from their public address.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from training.datasets.corpus import Corpus, reverse
from training.datasets.fetch import download
from training.datasets.readers import read_source
from training.datasets.sources import SOURCES, Source

# TFDS's names of the splits, and ours.
SPLIT_NAMES = {"train": "train", "validation": "valid", "test": "test"}


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """What the corpora have in common."""

    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES = {"2.0.0": "An example a record; splits without near-duplicates."}  # noqa: RUF012

    @property
    def source(self) -> Source:
        """What the corpus is and where it comes from."""
        return SOURCES[self.name]

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        pairs = {"source": text, "target": text, "references": tfds.features.Sequence(text)}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(pairs if self.source.is_pairs else {"text": text}),
            supervised_keys=("source", "target") if self.source.is_pairs else None,
            homepage=self.source.url,
            description=f"{self.source.description}. {self.source.licence}. "
            f"{self.source.attribution}.",
            citation=self.source.citation,
            license=self.source.licence,
            disable_shuffling=True,  # running text has an order
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        corpus = self._corpus(self._folder(dl_manager))
        return {
            name: self._generate_examples(getattr(corpus, part))
            for name, part in SPLIT_NAMES.items()
        }

    def _corpus(self, folder: Path) -> Corpus:
        return read_source(self.source, folder)

    def _folder(self, dl_manager: tfds.download.DownloadManager) -> Path:
        manual = Path(str(dl_manager._manual_dir or ""))
        if all((manual / file).is_file() for file in self.source.files):
            return manual
        return download(self.source, dl_manager)

    def _generate_examples(self, examples: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for place, example in enumerate(examples):
            if isinstance(example, str):
                yield place, {"text": example}
            else:
                references = list(example.references)
                yield (
                    place,
                    {"source": example.source, "target": example.target, "references": references},
                )


class _PairsBuilder(_Builder, skip_registration=True):  # type: ignore[call-arg]
    """German to English, and the other direction."""

    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="de_en", description="German to English"),
        tfds.core.BuilderConfig(name="en_de", description="English to German"),
    ]

    def _corpus(self, folder: Path) -> Corpus:
        corpus = super()._corpus(folder)
        return corpus if self.builder_config.name == "de_en" else reverse(corpus, self.name)


class TatoebaEn(_Builder):
    """Everyday English sentences."""


class TatoebaDeEn(_PairsBuilder):
    """Everyday German sentences with their English translations."""


class Ptb(_Builder):
    """Penn Treebank."""


class Wikitext2(_Builder):
    """WikiText-2."""


class Multi30kDeEn(_PairsBuilder):
    """Multi30k captions."""


BUILDERS = {cls.name: cls for cls in (TatoebaEn, TatoebaDeEn, Ptb, Wikitext2, Multi30kDeEn)}
