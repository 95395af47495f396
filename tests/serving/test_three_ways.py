"""The shipped language model says the same in Python, over gRPC, and word by word."""

from __future__ import annotations

import random

import numpy as np
import pytest

import zoo
from export.saved_model.exporter import export_saved_model
from serving.client import Client
from tests.helpers.corpus import all_sentences
from tests.serving.running import running
from zoo.text.padding import pad

NAME = "lstm_tatoeba_en"
PROMPT = "I would like to"


@pytest.fixture(scope="module")
def model():
    return zoo.load(NAME)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / NAME
    export_saved_model(model, folder)
    return folder


@pytest.fixture(scope="module")
def client(exported):
    with (
        running(f"--model_name={NAME}", f"--model_base_path={exported}") as address,
        Client(address.grpc, timeout=120) as client,
    ):
        yield client


def two_hundred_sentences() -> list[str]:
    """Short and long, empty, full of unknown words, and odd bytes of Unicode."""
    rng = random.Random(7)
    plain = [english for _, english in all_sentences()[:150]]
    words = " ".join(plain).split()
    long = [" ".join(rng.choices(words, k=length)) for length in (40, 80, 150, 300)]
    unknown = [" ".join(f"qx{rng.randrange(99)}zw" for _ in range(n)) for n in range(1, 21)]
    odd = [
        "",
        " ",
        "\t\n",
        "a\x00b",
        "ﬁne \u200b ½",
        "don't 'quote' it's",
        "1,000.50",
        "ÄÖÜ ß",
        "👍🏽",
    ]
    texts = [*plain, *long, *unknown, *odd]
    texts += [f"{rng.choice(plain)} {rng.choice(unknown)}" for _ in range(200 - len(texts))]
    assert len(texts) == 200
    return texts


def by_length(texts: list[str]) -> list[list[str]]:
    """The texts in two requests, so that the few long ones do not pad all others to their length.

    Three short ones go with them: rows of padding are there in both.
    """
    long = [text for text in texts if len(text.split()) >= 40]
    return [[text for text in texts if text not in long], [*long, *texts[:3]]]


def stepped(loaded, model, texts: list[str]) -> np.ndarray:
    """The sentences' log-probabilities by the `step` signature, a word of each a call.

    The longest come first; a sentence that has ended leaves the batch.
    """
    import tensorflow as tf

    rows = [model.tokenizer.encode(text) for text in texts]
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
    rows = [rows[row] for row in order]
    inputs, lengths = pad([[zoo.text.BOS, *row] for row in rows])
    targets, _ = pad([[*row, zoo.text.EOS] for row in rows])
    state = {f"state_{name}": value for name, value in model.initial_state(len(rows)).items()}
    totals = np.zeros(len(rows))
    for t in range(inputs.shape[1]):
        left = int(np.sum(t < lengths))
        state = {name: value[:left] for name, value in state.items()}
        ids = tf.constant(inputs[:left, t], tf.int32)
        state = loaded.signatures["step"](token_id=ids, **state)
        log_probs = state.pop("log_probs").numpy()
        totals[:left] += log_probs[np.arange(left), targets[:left, t]].astype(np.float64)
    return totals[np.argsort(order)]


def test_python_grpc_and_single_steps_agree(model, exported, client):
    import tensorflow as tf

    texts = two_hundred_sentences()
    groups = by_length(texts)
    assert {len(group) for group in groups} == {196, 7}
    loaded = tf.saved_model.load(str(exported / "1"))
    for group in groups:
        python, served = model.score(group), client.score(group)
        assert [(s.tokens, s.oov) for s in python] == [(s.tokens, s.oov) for s in served]
        expected = [s.log_prob for s in python]
        np.testing.assert_allclose([s.log_prob for s in served], expected, atol=1e-4)
        np.testing.assert_allclose(stepped(loaded, model, group), expected, atol=1e-4)


def test_the_distribution_sums_to_one(client):
    answer = client.predict(NAME, "distribution", [PROMPT, "", "qxz qxz"])
    sums = np.asarray(answer["probabilities"]).sum(axis=-1)
    np.testing.assert_allclose(sums, 1.0, atol=1e-4)


def test_next_words_are_sensible_in_python_and_over_grpc(model, client):
    served, python = client.next_words([PROMPT], model=NAME)[0], model.next_words([PROMPT])[0]
    assert [word for word, _ in served] == [word for word, _ in python]
    assert len(python) == 10
    assert sum(p for _, p in python) <= 1
    assert {"go", "see", "know", "be"} < {word for word, _ in python}


def test_the_better_order_is_ranked_first(model):
    for good, bad in (
        ("the cat is small", "small the is cat"),
        ("walking home after school", "walking house after school"),
    ):
        assert [text for text, _ in model.rank([bad, good])] == [good, bad]
