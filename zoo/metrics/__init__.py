"""What a model is judged by: perplexity, next-word recall, BLEU and chrF, labels and spans."""

from __future__ import annotations

from zoo.metrics.bleu import BleuResult, bleu
from zoo.metrics.labels import LabelScore, accuracy, label_scores, macro_f1, micro
from zoo.metrics.perplexity import Perplexity, perplexity
from zoo.metrics.recall import NextWordRecall
from zoo.metrics.spans import Span, are_spans, span_scores, spans

__all__ = [
    "BleuResult",
    "LabelScore",
    "NextWordRecall",
    "Perplexity",
    "Span",
    "accuracy",
    "are_spans",
    "bleu",
    "label_scores",
    "macro_f1",
    "micro",
    "perplexity",
    "span_scores",
    "spans",
]
