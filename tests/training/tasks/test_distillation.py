"""Distillation: the loss of its equation, what the teacher must be, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.corpus import english
from training.config import RunConfig, checked
from training.datasets import Corpus
from training.tasks.distillation import DistillationTask
from training.tasks.registry import make_task
from zoo.errors import ZooError
from zoo.models import NGramLanguageModel
from zoo.text import WordTokenizer

TEXT = english(40)
CORPUS = Corpus("toy", TEXT, TEXT, TEXT)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    words = WordTokenizer.train(TEXT, 10_000)
    counts = NGramLanguageModel.train(TEXT, 3, tokenizer=words)
    return counts.save_to_preset(tmp_path_factory.mktemp("teacher") / "counts")


def config(teacher, **training):
    content = {
        "name": "toy",
        "data": {"name": "toy"},
        "model": {"class": "RecurrentLanguageModel", "units": 6, "embedding_dim": 5},
        "training": {
            "batch_size": 8,
            "distillation": {"teacher": str(teacher), "top": 4, "share": 0.25},
            **training,
        },
    }
    return checked(RunConfig, content, "toy")


def test_the_loss_is_that_of_words_and_teacher(teacher):
    task = DistillationTask(config(teacher), CORPUS)
    batch = next(iter(task.batches(0)))
    counts = NGramLanguageModel.from_preset(teacher)
    hidden, _ = task.model.features(batch["inputs"])
    log_p = np.asarray(task.model.log_softmax(hidden), np.float64)
    expected, tokens = 0.0, 0
    for row, t in zip(*np.nonzero(batch["weights"]), strict=True):
        seen = batch["inputs"][row, : t + 1]
        log_q = counts.next_log_probs(seen[None], np.array([t + 1]))[0]
        best = np.argsort(-log_q)[:4]
        q = np.exp(log_q[best]) / np.exp(log_q[best]).sum()
        expected -= 0.75 * log_p[row, t, batch["targets"][row, t]]
        expected -= 0.25 * (q * log_p[row, t, best]).sum()
        tokens += 1
    nats, weight, _ = task.loss(batch, None, training=False)
    assert float(nats) == pytest.approx(expected, rel=2e-3)  # the teacher's are kept in float16
    assert float(weight) == tokens


@pytest.mark.parametrize(
    ("training", "message"),
    [({"stream": True}, "single sentences"), ({"softmax": "sampled"}, "softmax: exact")],
)
def test_what_cannot_be_taught_is_refused(teacher, training, message):
    with pytest.raises(ZooError, match=message):
        DistillationTask(config(teacher, **training), CORPUS)


def test_a_teacher_says_the_students_words(teacher):
    other = Corpus("toy", [*TEXT, "a new word"], TEXT, TEXT)
    with pytest.raises(ZooError, match="another vocabulary"):
        DistillationTask(config(teacher), other)


def test_a_config_with_a_teacher_has_this_task(teacher, tmp_path):
    path = tmp_path / "toy.txt"
    path.write_text("\n".join(TEXT), encoding="utf-8")
    named = config(teacher)
    data = named.data.model_copy(update={"name": str(path)})
    task = make_task(named.model_copy(update={"data": data}), None)
    assert isinstance(task, DistillationTask)
