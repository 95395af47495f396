"""A preset knows what it was trained on, and an evaluation on that text says so."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from tests.helpers.corpus import english
from training.datasets import Corpus
from training.tasks.evaluate import evaluate
from zoo.errors import ZooError
from zoo.presets import training_text

TEXTS = [f"this is sentence {k}" for k in range(800)]


def test_the_share_of_a_text_is_told_from_a_sixteenth_of_it():
    kept = training_text.sample(TEXTS[:600])
    assert 20 < len(kept) < 60
    assert (np.diff(kept.astype(np.int64)) > 0).all()
    known, sampled = training_text.known(kept, TEXTS[:300])
    assert known == sampled > 5
    assert training_text.known(kept, TEXTS[600:]).known == 0
    # The same sentences, written otherwise.
    assert training_text.known(kept, [text.upper() + "!" for text in TEXTS[:600]]).known == len(
        kept
    )


def test_an_evaluation_on_training_text_says_so(tmp_path):
    texts = english()
    model = zoo.models.NGramLanguageModel.train(texts[:300], order=2, smoothing="add_k")
    model.training_text = training_text.sample(texts[:300])
    model.save_to_preset(tmp_path / "counted")
    again = zoo.load(tmp_path / "counted")

    def signature(test):
        return next(iter(evaluate(again, Corpus("own", test, test, test))))["signature"]

    assert "are in the model's training text" in signature(texts[:300])
    assert "training text" not in signature(texts[300:])
    again.save_to_preset(tmp_path / "kept")
    assert (zoo.load(tmp_path / "kept").training_text == model.training_text).all()


@pytest.mark.parametrize("content", [b"", b"no array", np.zeros(3).tobytes()])
def test_a_damaged_sample_is_refused_by_name(tmp_path, content):
    (tmp_path / training_text.FILE).write_bytes(content)
    with pytest.raises(ZooError, match="training_text.npy is damaged"):
        training_text.read(tmp_path)
    np.save(tmp_path / training_text.FILE, np.zeros((2, 2)))
    with pytest.raises(ZooError, match="not a row of 32-bit hashes"):
        training_text.read(tmp_path)
