"""What a model is judged by: perplexity, next-word recall at k, BLEU and chrF."""

from __future__ import annotations

from zoo.metrics.bleu import BleuResult, bleu
from zoo.metrics.perplexity import Perplexity, perplexity
from zoo.metrics.recall import NextWordRecall

__all__ = ["BleuResult", "NextWordRecall", "Perplexity", "bleu", "perplexity"]
