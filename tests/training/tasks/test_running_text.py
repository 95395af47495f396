"""Running text in pieces of words: put back by rule, `<unk>` neither learnt nor counted."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from training.config import RunConfig, checked
from training.datasets import Corpus
from training.datasets.raw_text import raw, raw_corpus
from training.tasks.evaluate import evaluate
from training.tasks.language_model import LanguageModelTask
from training.tasks.running_text import encoded_text
from zoo.models import RecurrentLanguageModel
from zoo.text import EOS, UNK, SubwordTokenizer

LINES = ["The dog's tail is red.", "A <unk> dog is well-known, and <unk>!", "It is 5.5 kg."]


@pytest.mark.parametrize(
    ("tokenised", "written"),
    [
        ("The 20 @-@ year @-@ old , 1 @,@ 500 m long .", "The 20-year-old, 1,500 m long."),
        ("0 @.@ 7 – 2 @.@ 2 kg ( 4 lb ) ; $ 5 , 50 %", "0.7–2.2 kg (4 lb); $5, 50%"),
        ('the lobster \'s " red " claws', 'the lobster\'s "red" claws'),
        ("they didn 't , we 'll , the players ' bus", "they didn't, we'll, the players' bus"),
    ],
)
def test_tokenised_text_is_put_back(tokenised, written):
    assert raw(tokenised) == written


def test_headings_and_empty_lines_are_no_text():
    lines = ["", " = Title = ", " A dog . ", " = = Part = = ", " It barks . "]
    corpus = raw_corpus(Corpus("a", lines, lines, lines, "CC", is_stream=True), "b")
    assert (corpus.name, corpus.train, corpus.licence) == ("b", ["A dog.", "It barks."], "CC")
    assert corpus.is_stream


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(2)
    pieces = SubwordTokenizer.train([line.replace("<unk>", "") for line in LINES], 60, 1, False)
    return RecurrentLanguageModel(pieces, units=6, embedding_dim=5, num_layers=1)


def test_case_and_marks_come_back(model):
    ids = model.tokenizer.encode(LINES[0])
    assert UNK not in ids
    assert model.tokenizer.decode(ids) == LINES[0]
    assert encoded_text(model.tokenizer, LINES[1]).count(UNK) == 2


def test_figures_of_pieces_words_and_characters_are_of_one_text(model):
    corpus = Corpus("toy", LINES, LINES, LINES, is_stream=True)
    pieces, words, characters = evaluate(model, corpus)
    stream = [i for line in LINES for i in (*encoded_text(model.tokenizer, line), EOS)]
    inputs = np.array([[2, *(2 if i == EOS else i for i in stream[:-1])]])
    log_probs, _ = model.continued_log_probs(inputs, np.array([stream]))
    nats = -float(log_probs[0][np.array(stream) != UNK].sum())
    assert pieces["tokens"] == len(stream) - 2
    assert pieces["value"] == pytest.approx(math.exp(nats / pieces["tokens"]), rel=1e-5)
    assert [row["metric"] for row in (words, characters)] == [
        "word_perplexity",
        "bits_per_character",
    ]
    # the dog's tail is red . | a dog is well - known , and ! | it is 5.5 kg . : and three ends
    assert words["value"] == pytest.approx(math.exp(nats / words["tokens"]), rel=1e-5)
    assert characters["tokens"] == len("".join(LINES)) + 3 - 2 * len("<unk>")
    assert characters["value"] == pytest.approx(nats / characters["tokens"] / math.log(2), rel=1e-5)


def test_a_run_has_pieces_and_does_not_learn_the_unknown():
    config = checked(
        RunConfig,
        {
            "name": "toy",
            "data": {"name": "toy", "tokenizer": "subword", "lowercase": False},
            "model": {"class": "RecurrentLanguageModel", "units": 6, "embedding_dim": 5},
            "training": {"batch_size": 2, "time_steps": 50},
        },
        "toy",
    )
    task = LanguageModelTask(config, Corpus("toy", LINES, LINES, LINES, is_stream=True))
    (batch,) = task.batches(0)
    assert task.model.tokenizer.has_pieces
    assert (batch["targets"] == UNK).sum() == 2
    assert batch["weights"][batch["targets"] == UNK].sum() == 0
    assert task.evaluate()["tokens"] == batch["weights"].sum()
