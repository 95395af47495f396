"""From a run's config to its task: the one place that knows which model class trains how."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras
import numpy as np

from training import datasets
from training.config import RunConfig
from training.tasks.softmax import TrainingSoftmax
from zoo.errors import ZooError


class Task(Protocol):
    """What the training loop needs of a task."""

    model: Any
    figure: str
    lower_is_better: bool
    licence: str
    softmax: TrainingSoftmax

    def carried(self) -> dict[str, np.ndarray] | None: ...
    def batches(self, epoch: int) -> Iterator[dict[str, np.ndarray]]: ...
    def steps_per_epoch(self) -> int: ...
    def loss(self, batch: Any, carried: Any, training: bool) -> tuple[Any, Any, Any]: ...
    def evaluate(self) -> dict[str, float]: ...


def _language_model(config: RunConfig, corpus: Any) -> Task:
    from training.tasks.language_model import LanguageModelTask

    return LanguageModelTask(config, corpus)


def _cloze(config: RunConfig, corpus: Any) -> Task:
    from training.tasks.cloze import ClozeTask

    return ClozeTask(config, corpus)


def _translation(config: RunConfig, corpus: Any) -> Task:
    from training.tasks.translation import TranslationTask

    return TranslationTask(config, corpus)


TASKS: dict[str, Callable[[RunConfig, Any], Task]] = {
    "RecurrentLanguageModel": _language_model,
    "NeuralProbabilisticLanguageModel": _language_model,
    "BidirectionalLanguageModel": _cloze,
    "Seq2Seq": _translation,
}


def make_task(config: RunConfig, data_dir: str | os.PathLike[str] | None) -> Task:
    """The task of a config, with its corpus loaded and its model built."""
    name = config.model["class"]
    if name not in TASKS:
        raise ZooError(f"model.class={name!r} is not trained by gradient; use {', '.join(TASKS)}")
    keras.utils.set_random_seed(config.seed)
    corpus = datasets.load(config.data.name, data_dir)
    for part in ("train", "valid"):
        if not getattr(corpus, part):
            raise ZooError(f"data {corpus.name!r}: the {part} text is empty; give sentences")
    return TASKS[name](config, corpus)
