"""`zoo train` for models that are not fitted by gradient: n-grams, mixtures, caches.

An n-gram model is counted in one pass over the training text. A mixture takes models that are
there already, `model.models`, presets or directories, and finds their weights on the validation
text; a cached model one of them, `model.model`, and finds the cache's window, θ and λ there; a
pointer one of them, and finds the names in the training text. Each is one row and one preset.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from functools import singledispatch
from pathlib import Path
from typing import Any

import zoo
from training import datasets
from training.config import RunConfig
from training.datasets import Corpus
from training.tasks.batches import encode_stream
from training.tasks.cache import best_cache
from training.tasks.language_model import stream_nats
from training.tasks.task import kept_sample, make_tokenizer, training_examples
from zoo.errors import ZooError
from zoo.metrics import perplexity
from zoo.models import (
    CachedLanguageModel,
    InterpolatedLanguageModel,
    NGramLanguageModel,
    PointerLanguageModel,
)
from zoo.models.language_model import LanguageModel
from zoo.models.on_tensors import TensorLanguageModel
from zoo.models.registry import model_class
from zoo.presets.store import shipped_presets
from zoo.text.names import proper_names

Fitted = tuple[LanguageModel, list[str]]  # a model and the text that it was fitted to


def train_by_counting(
    config: RunConfig, data_dir: str | os.PathLike[str] | None, out: Path
) -> Iterator[dict[str, Any]]:
    """Count or tune, validate, write the preset; yields its one row."""
    corpus = datasets.load(config.data.name, data_dir, "sentences")
    started = time.perf_counter()
    model, text = fitted.dispatch(model_class(config.model.class_name))(config, corpus)
    seconds = time.perf_counter() - started
    on_valid = nats_and_tokens(model, list(corpus.valid), corpus.is_stream)
    valid = perplexity(*on_valid)
    model.training_text = kept_sample(training_examples(config, corpus))
    model.save_to_preset(
        out,
        info={
            "description": config.description,
            "data": config.data.name,
            "licence": corpus.licence,
            "metrics": {"valid_perplexity": round(valid, 4)} if math.isfinite(valid) else {},
            "train_command": f"zoo train {config.name}",
        },
    )
    same = text == corpus.valid
    nats, tokens = on_valid if same else nats_and_tokens(model, text, corpus.is_stream)
    yield {
        "epoch": 1,
        "loss": nats / tokens,
        "valid_perplexity": valid,
        "tokens_per_second": round(tokens / seconds, 1),
        "seconds": round(seconds, 1),
    }


def counted(config: RunConfig, corpus: Corpus) -> Fitted:
    """The n-gram model of the training text."""
    sentences = training_examples(config, corpus)
    tokenizer = make_tokenizer(config, sentences)
    return NGramLanguageModel.train(
        sentences, tokenizer=tokenizer, **config.model.options
    ), sentences


def mixed(config: RunConfig, corpus: Corpus) -> Fitted:
    """The models of the config with the weights under which the validation text is likeliest."""
    options, sentences = config.model.options, list(corpus.valid)
    names = options.pop("models", None)
    if not isinstance(names, list) or options:
        raise ZooError(
            f"model of {config.name}: give `models`, a list of presets or directories, and "
            f"nothing else; got {config.model.options!r:.120}"
        )
    parts = [loaded(name, "models") for name in names]
    references = [reference(name) for name in names]
    return InterpolatedLanguageModel.tune(parts, sentences, references=references), sentences


def cached(config: RunConfig, corpus: Corpus) -> Fitted:
    """The model of the config with the cache under which the validation text is likeliest."""
    options, sentences = config.model.options, list(corpus.valid)
    name = options.pop("model", None)
    if not isinstance(name, str) or set(options) - {"windows", "thetas"}:
        raise ZooError(
            f"model of {config.name}: give `model`, a preset or directory, and `windows` and "
            f"`thetas` to choose from; got {config.model.options!r:.120}"
        )
    model = CachedLanguageModel(loaded(name, "model")).model  # or what has no vectors is refused
    encoded = [model.tokenizer.encode(text) for text in sentences]
    fit = best_cache(model, encoded, corpus.is_stream, **options)
    settings = (fit.window, fit.theta, fit.weight)
    return CachedLanguageModel(model, *settings, reference=reference(name)), sentences


def pointed(config: RunConfig, corpus: Corpus) -> Fitted:
    """The model of the config with a pointer to the names that the training text writes so."""
    options = config.model.options
    name = options.pop("model", None)
    if not isinstance(name, str) or set(options) - {"gamma"}:
        raise ZooError(
            f"model of {config.name}: give `model`, a preset or directory, and `gamma`; got "
            f"{config.model.options!r:.120}"
        )
    model = loaded(name, "model")
    tokenizer = model.tokenizer
    names = proper_names(corpus.train, tokenizer.vocabulary, tokenizer.lowercase)
    wrapped = PointerLanguageModel(model, names, **options, reference=reference(name))  # type: ignore[arg-type]
    return wrapped, list(corpus.valid)


def loaded(name: str, key: str) -> LanguageModel:
    """The language model of a name in a config."""
    model = zoo.load(str(name))
    if not isinstance(model, LanguageModel):
        raise ZooError(f"model.{key}: {name} is a {type(model).__name__}, no language model")
    return model


def reference(name: str) -> str | None:
    """A preset that comes along is named in the new preset, another is copied into it."""
    return str(name) if str(name) in shipped_presets() else None


fitted = singledispatch(counted)  # by the model's class, with a config and its corpus
fitted.register(NGramLanguageModel, counted)
fitted.register(InterpolatedLanguageModel, mixed)
fitted.register(CachedLanguageModel, cached)
fitted.register(PointerLanguageModel, pointed)


def nats_and_tokens(
    model: LanguageModel, sentences: list[str], is_stream: bool = False
) -> tuple[float, int]:
    """Negative log-probability of a text and the number of its tokens, `<eos>` counted."""
    encoded = [model.tokenizer.encode(text) for text in sentences]
    tokens = sum(len(ids) + 1 for ids in encoded)
    if not tokens:
        raise ZooError("the validation text is empty; give at least one sentence")
    if is_stream and isinstance(model, TensorLanguageModel):
        return stream_nats(model, encode_stream(encoded), streams=1), tokens
    return -float(model.score_ids(encoded).sum()), tokens
