"""The corpora: plain readers for training, TFDS builders for pipelines; splits by hash.

After `import training.datasets`, `tfds.load("tatoeba_de_en")` knows our corpora.
"""

from contextlib import suppress

from training.datasets.corpus import Corpus, Pair
from training.datasets.load import load
from training.datasets.sources import SOURCES, Source

with suppress(ImportError):  # without TFDS a corpus is read from its files
    from training.datasets import builders as _builders  # noqa: F401

__all__ = ["SOURCES", "Corpus", "Pair", "Source", "load"]
