"""From a run's config to its task: the one place that knows which model class trains how."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import singledispatch

from training import datasets
from training.config import RunConfig
from training.datasets import Corpus
from training.datasets.text_files import text_files
from training.tasks.cloze import ClozeTask
from training.tasks.distillation import DistillationTask
from training.tasks.labelling import ClassificationTask, TaggingTask
from training.tasks.language_model import LanguageModelTask
from training.tasks.restoring import RestoringTask
from training.tasks.task import Task
from training.tasks.translation import TranslationTask
from zoo.errors import ZooError
from zoo.models import BidirectionalLanguageModel, BidirectionalRestorer
from zoo.models.keras_model import KerasModel
from zoo.models.labelling import Tagger, TextClassifier
from zoo.models.language_model import LanguageModel
from zoo.models.registry import model_class
from zoo.models.seq2seq.translator import Translator


def _no_task(config: RunConfig, corpus: Corpus) -> Task:
    raise ZooError(f"model.class={config.model.class_name!r} has no task to train it by")


def language_model_task(config: RunConfig, corpus: Corpus) -> Task:
    """With a teacher where the config names one."""
    taught = config.training.distillation.teacher is not None
    return DistillationTask(config, corpus) if taught else LanguageModelTask(config, corpus)


task_of = singledispatch(_no_task)  # of a model's class: its task's constructor
task_of.register(LanguageModel, language_model_task)
task_of.register(BidirectionalLanguageModel, ClozeTask)
task_of.register(Tagger, TaggingTask)
task_of.register(BidirectionalRestorer, RestoringTask)
task_of.register(TextClassifier, ClassificationTask)
task_of.register(Translator, TranslationTask)


def make_task(config: RunConfig, data_dir: str | os.PathLike[str] | None) -> Task:
    """The task of a config, with its corpus loaded and its model built."""
    kind = model_class(config.model.class_name)
    if not issubclass(kind, KerasModel):
        raise ZooError(
            f"model.class={kind.__name__!r} is not trained by gradient; name a neural model"
        )
    corpus = datasets.load(config.data.name, data_dir, kind.reads)
    if config.data.files is not None:
        corpus = replace(corpus, train=text_files(config.data.files))
    for part in ("train", "valid"):
        if not getattr(corpus, part):
            raise ZooError(f"data {corpus.name!r}: the {part} text is empty; give sentences")
    return task_of.dispatch(kind)(config, corpus)
