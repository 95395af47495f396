"""The continuous cache: the paper's equations word by word, running text, presets, what is refused.

What every language model does, it does in test_language_models.py.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from keras import ops

import zoo
from tests.helpers.corpus import english
from tests.helpers.models import language_model, recurrent
from tests.reference.language_models import array, cached_log_probs
from training.tasks.batches import encode_stream, stream_batches
from training.tasks.evaluate import recall
from zoo.errors import ZooError
from zoo.models import CachedLanguageModel, InterpolatedLanguageModel, NGramLanguageModel
from zoo.text import BOS, EOS


@pytest.fixture(scope="module")
def cached():
    return language_model("cached")


def running_text(model, sentences=9):
    encoded = [model.tokenizer.encode(text) for text in english(sentences)]
    (whole,) = stream_batches(encode_stream(encoded), 1, 10_000)
    return whole["inputs"], whole["targets"]


def expected(cached, inputs, targets):
    """By the independent implementation, from the network's own vectors and probabilities."""
    hidden, _ = cached.model.features(inputs)
    log_probs = -cached.model.cross_entropy(hidden, targets)
    return cached_log_probs(cached, array(hidden[0]), array(log_probs[0]), targets[0].tolist())


@pytest.mark.parametrize("cut", [1, 16, 20])
def test_running_text_has_the_papers_probabilities(cached, cut):
    """In two pieces, with a text longer than the window and than what is looked up together."""
    inputs, targets = running_text(cached)
    assert inputs.shape[1] > 40 > cached.window
    first, state = cached.continued_log_probs(inputs[:, :cut], targets[:, :cut])
    second, state = cached.continued_log_probs(inputs[:, cut:], targets[:, cut:], state)
    found = np.concatenate([first, second], axis=1)[0]
    values, _ = expected(cached, inputs, targets)
    np.testing.assert_allclose(found, values, atol=2e-6)
    kept = ops.convert_to_numpy(state["cache_words"])[0]
    assert kept.tolist() == targets[0, -1 - cached.window : -1].tolist()
    assert EOS in running_text(cached)[1][0, :-1]
    assert BOS not in kept


def test_a_step_gives_the_papers_distribution(cached):
    inputs, targets = running_text(cached, 3)
    state, plain = cached.initial_state(1), cached.model.initial_state(1)
    for token in inputs[0]:
        log_probs, state = cached.step(np.array([token]), state)
        of_network, plain = cached.model.step(np.array([token]), plain)
    _, shares = expected(cached, inputs, targets)
    mixed = (1 - cached.weight) * np.exp(array(of_network[0])) + cached.weight * shares
    np.testing.assert_allclose(np.exp(array(log_probs[0])), mixed, atol=1e-6)
    assert np.count_nonzero(shares) > 1


def test_the_first_word_is_the_networks_alone(cached):
    first, plain = (dict(m.next_words([""], k=3)[0]) for m in (cached, cached.model))
    assert first == pytest.approx(plain)


def test_a_narrower_window_says_the_same_of_short_texts(cached):
    wide = CachedLanguageModel(cached.model, 60, cached.theta, cached.weight)
    encoded = [wide.tokenizer.encode(text) for text in english(6)]
    longest = max(map(len, encoded)) + 1
    np.testing.assert_allclose(
        wide.narrowed(longest).score_ids(encoded), wide.score_ids(encoded), atol=1e-5
    )
    assert wide.narrowed(longest).window == longest
    assert recall(wide, encoded) == recall(wide.narrowed(longest), encoded)


def test_a_shipped_network_is_named_not_copied(tmp_path):
    ours = CachedLanguageModel.of_preset("irnn_tatoeba_en", window=8, theta=0.1, weight=0.2)
    folder = ours.save_to_preset(tmp_path / "cached")
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 4_096
    loaded = zoo.load(folder)
    text = ["tom said that tom"]
    assert loaded.score(text)[0].log_prob == pytest.approx(ours.score(text)[0].log_prob)
    assert (loaded.window, loaded.theta, loaded.weight) == (8, 0.1, 0.2)
    assert loaded.reference == "irnn_tatoeba_en"


def changed(folder, **entry):
    path = folder / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["config"]["references"][0].update(entry)
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"sha256": "0" * 64}, "is not the one that was meant"),
        ({"preset": "rnn_tatoeba_en"}, "is not the one that was meant"),
        ({"preset": "../../secrets"}, "no shipped preset '../../secrets' to refer to"),
        ({"preset": ["kn5_tatoeba_en"]}, "no shipped preset"),
        ({"path": "x"}, "refers to no preset"),
    ],
)
def test_another_preset_is_not_taken_for_the_one_that_was_meant(entry, message, tmp_path):
    kn = zoo.load("mle3_tatoeba_en")
    both = InterpolatedLanguageModel([kn, kn], references=["mle3_tatoeba_en"] * 2)
    folder = both.save_to_preset(tmp_path / "both")
    with pytest.raises(ZooError, match=message):
        zoo.load(changed(folder, **entry))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, "window=0"),
        ({"theta": -1.0}, "theta=-1.0"),
        ({"theta": float("nan")}, "theta=nan"),
        ({"weight": 1.0}, "weight=1.0"),
    ],
)
def test_impossible_settings_are_refused(settings, message, cached):
    with pytest.raises(ZooError, match=message):
        CachedLanguageModel(cached.model, **settings)


def test_counts_have_no_vectors_to_keep():
    counts = NGramLanguageModel.train(["a b"], order=2)
    with pytest.raises(ZooError, match="NGramLanguageModel has no hidden vectors"):
        CachedLanguageModel(counts)


def test_a_long_text_needs_no_matrix_of_all_its_words():
    """Ten thousand steps by ten thousand pairs would be 400 MB for each of three tensors."""
    model = CachedLanguageModel(recurrent(num_layers=1), window=50, theta=1.0, weight=0.1)
    (score,) = model.score(["the cat " * 5_000])
    assert np.isfinite(score.log_prob)
