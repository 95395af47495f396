"""`zoo train` for models that are counted, not fitted: one pass, one row, one preset."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.config import RunConfig
from training.language_modelling import make_tokenizer
from zoo.models.registry import model_class

COUNTED = ("NGramLanguageModel",)


def train_by_counting(
    config: RunConfig, data_dir: str | os.PathLike[str] | None, out: Path
) -> Iterator[dict[str, Any]]:
    """Count the training text, estimate, validate, write the preset; yields its one row."""
    from training.datasets import load

    corpus = load(config.data.name, data_dir)
    sentences = list(corpus.train)[: config.data.limit]
    started = time.perf_counter()
    options = {k: v for k, v in config.model.items() if k != "class"}
    tokenizer = make_tokenizer(config, sentences)
    model = model_class(config.model["class"]).train(sentences, tokenizer=tokenizer, **options)
    seconds = time.perf_counter() - started
    encoded = [tokenizer.encode(text) for text in corpus.valid]
    tokens = sum(len(ids) + 1 for ids in encoded)
    nats = -float(model.score_ids(encoded).sum()) / tokens
    perplexity = math.exp(nats) if nats < 700 else math.inf
    model.save_to_preset(
        out,
        info={
            "description": config.description,
            "data": config.data.name,
            "licence": corpus.licence,
            "metrics": {"valid_perplexity": round(perplexity, 4)} if nats < 700 else {},
            "train_command": f"zoo train {config.name}",
        },
    )
    counted = sum(len(tokenizer.encode(text)) + 1 for text in sentences)
    yield {
        "epoch": 1,
        "loss": -float(model.score_ids([tokenizer.encode(t) for t in sentences]).sum()) / counted,
        "valid_perplexity": perplexity,
        "tokens_per_second": round(counted / seconds, 1),
        "seconds": round(seconds, 1),
    }
