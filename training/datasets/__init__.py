"""The corpora: plain readers for training, TFDS builders for pipelines; splits by hash."""

from training.datasets.corpus import Corpus, Pair
from training.datasets.load import load
from training.datasets.sources import SOURCES, Source

__all__ = ["SOURCES", "Corpus", "Pair", "Source", "load"]
