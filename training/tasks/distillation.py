"""Distillation: a small model learns a large one's distribution (Hinton et al. 2015, 1503.02531).

    J = (1 − α) (−log p(w)) + α Σ_v q(v) (−log p(v))

q is the teacher's distribution over its likeliest words, made to sum to 1, and α their share of
the loss. The teacher reads the training sentences once, before the first epoch; it may be any
language model of the same vocabulary, a mixture of a network and counts too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from keras import ops

import zoo
from training.config import RunConfig
from training.datasets import Corpus
from training.tasks.batches import Batch, row_lengths, sentence_batch, sentence_rows
from training.tasks.language_model import LanguageModelTask
from training.tasks.progress_bar import tracked
from training.tasks.task import Carried
from zoo.errors import ZooError
from zoo.models.language_model import LanguageModel
from zoo.types import Tensor

TEACHER_BATCH = 256


class DistillationTask(LanguageModelTask):
    """Language modelling of sentences with a teacher.

    Args:
        config: the run; `training.distillation.teacher` is set.
        corpus: single sentences.
    """

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        super().__init__(config, corpus)
        settings = config.training.distillation
        if self.is_stream or not isinstance(self.train, list):
            raise ZooError("training.distillation is of single sentences in memory, not a stream")
        if config.training.softmax != "exact":
            raise ZooError("training.distillation needs every word's probability: softmax: exact")
        teacher = checked_teacher(str(settings.teacher), self.model)
        top = min(settings.top, self.model.tokenizer.vocabulary_size)
        self.taught = taught(teacher, self.train, top, config.data.max_length)

    def batches(self, epoch: int) -> Iterator[Batch]:
        size, longest = self.config.training.batch_size, self.config.data.max_length
        lengths = row_lengths(self.train, longest)
        for rows in sentence_rows(self.train, size, longest, self.shuffling(epoch)):
            width = self.widths[(int(lengths[rows[-1]]),)][0]
            batch = sentence_batch([self.train[i] for i in rows], size, longest, width)
            yield {**batch, **padded([self.taught[i] for i in rows], batch["targets"].shape)}

    def loss(
        self, batch: Mapping[str, Tensor], carried: Carried | None, training: bool
    ) -> tuple[Tensor, Tensor, Carried | None]:
        """Summed nats of both kinds over the counted tokens, and their number."""
        hidden, _ = self.model.features(batch["inputs"], training=training)
        log_probs = self.model.log_softmax(hidden)  # [batch, time, vocabulary]
        words = ops.expand_dims(batch["targets"], -1)
        of_words = -ops.take_along_axis(log_probs, words, axis=-1)[..., 0]
        of_teacher = -ops.sum(
            batch["teacher_probabilities"]
            * ops.take_along_axis(log_probs, batch["teacher_words"], axis=-1),
            axis=-1,
        )
        share, weights = self.config.training.distillation.share, batch["weights"]
        nats = ops.sum(weights * ((1 - share) * of_words + share * of_teacher))
        return nats + ops.sum(weights) * self.regularisation(hidden), ops.sum(weights), None


def checked_teacher(name: str, student: Any) -> LanguageModel:
    """The teacher of a name, if it says the words that the student says."""
    teacher = zoo.load(name)
    if not isinstance(teacher, LanguageModel):
        raise ZooError(f"training.distillation.teacher: {name} is a {type(teacher).__name__}")
    if teacher.tokenizer.vocabulary != student.tokenizer.vocabulary:
        raise ZooError(
            f"training.distillation.teacher: {name} has another vocabulary than "
            "the training text gives; train both with the same data section"
        )
    return teacher


Taught = tuple[np.ndarray, np.ndarray]  # a sentence's words [time, top] and their probabilities


def taught(
    teacher: LanguageModel, sentences: list[list[int]], top: int, longest: int
) -> list[Taught]:
    """The teacher's likeliest words at each step of each sentence, and their probabilities."""
    found: list[Taught | None] = [None] * len(sentences)
    batches = list(sentence_rows(sentences, TEACHER_BATCH, longest, None))
    for rows in tracked(batches, "teacher", len(batches)):
        batch = sentence_batch([sentences[i] for i in rows], len(rows), longest)
        words, probabilities = _likeliest(teacher, batch["inputs"], top)
        lengths = np.array([min(len(sentences[i]), longest) + 1 for i in rows])
        for k, (i, length) in enumerate(zip(rows, lengths, strict=True)):
            found[i] = (words[k, :length].copy(), probabilities[k, :length].copy())
    return [pair for pair in found if pair is not None]


def _likeliest(teacher: LanguageModel, inputs: np.ndarray, top: int) -> Taught:
    """[batch, time, top] words, int32, and their probabilities, float16, which sum to 1."""
    state = teacher.initial_state(len(inputs))
    words = np.zeros((*inputs.shape, top), np.int32)
    probabilities = np.zeros((*inputs.shape, top), np.float16)
    for t in range(inputs.shape[1]):
        log_probs, state = teacher.step(inputs[:, t], state)
        values = np.asarray(log_probs, np.float32)
        best = np.argpartition(-values, top - 1, axis=1)[:, :top]
        p = np.exp(np.take_along_axis(values, best, axis=1))
        words[:, t] = best
        probabilities[:, t] = p / p.sum(axis=1, keepdims=True)
    return words, probabilities


def padded(rows: list[Taught], shape: tuple[int, ...]) -> Batch:
    """What is taught of a batch of sentences, with nothing where they have ended."""
    top = rows[0][0].shape[1]
    words = np.zeros((*shape, top), np.int32)
    probabilities = np.zeros((*shape, top), np.float32)
    for k, (ids, p) in enumerate(rows):
        words[k, : len(ids)] = ids
        probabilities[k, : len(ids)] = p
    return {"teacher_words": words, "teacher_probabilities": probabilities}
