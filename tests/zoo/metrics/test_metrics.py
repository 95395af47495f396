"""Metrics: perplexity and recall against direct sums, BLEU against sacreBLEU's own figures."""

from __future__ import annotations

import importlib
import math
import sys

import keras
import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.metrics import NextWordRecall, Perplexity, bleu, perplexity
from zoo.text import BOS, EOS, PAD, UNK

HYPOTHESES = ["The cat sat on the mat.", "There is a house near the station."]
REFERENCES = [
    ["The cat is sitting on the mat.", "A cat sat on the mat."],
    "There is a house by the station.",
]


def random_batches(seed: int = 0, count: int = 3):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        logits = rng.normal(size=(4, 5, 11)).astype("float32")
        targets = rng.integers(0, 11, size=(4, 5))
        yield targets, logits


def log_softmax(logits):
    logits = logits.astype("float64")
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def direct_log_probs(targets, logits):
    return np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize("from_logits", [True, False])
def test_perplexity_is_two_to_the_mean_bits(from_logits):
    metric = Perplexity(from_logits=from_logits, mask_token_id=PAD)
    bits, tokens = 0.0, 0
    for targets, logits in random_batches():
        metric.update_state(targets, logits if from_logits else np.exp(log_softmax(logits)))
        kept = targets != PAD
        bits -= (direct_log_probs(targets, logits)[kept] / math.log(2)).sum()
        tokens += int(kept.sum())
    assert int(metric.tokens) == tokens
    np.testing.assert_allclose(metric.bits(), bits / tokens, rtol=1e-5)
    np.testing.assert_allclose(metric.result(), 2 ** (bits / tokens), rtol=1e-5)


def test_perplexity_from_log_probs_and_weights():
    metric = Perplexity()
    log_probs = np.log([[0.5, 0.125], [0.1, 0.2]])
    metric.update_log_probs(log_probs, weights=[[1, 1], [0, 0]])
    metric.update_log_probs(log_probs[1], weights=[0.0, 0.0])
    assert int(metric.tokens) == 2
    np.testing.assert_allclose(metric.result(), 4.0, rtol=1e-6)
    metric.reset_state()
    assert int(metric.tokens) == 0
    assert math.isnan(float(metric.result()))


def test_masked_positions_may_hold_impossible_targets():
    metric = Perplexity(mask_token_id=0)
    metric.update_state([[1, 0]], [[[0.5, 0.5], [0.0, 1.0]]], sample_weight=[1.0])
    np.testing.assert_allclose(metric.result(), 2.0, rtol=1e-6)
    metric.update_state([[1, 1]], [[[0.5, 0.5], [1.0, 0.0]]])
    assert math.isinf(float(metric.result()))


def test_small_losses_are_not_rounded_off_a_large_sum():
    metric = Perplexity()
    metric.update_log_probs([-(2.0**25)])
    for _ in range(200):
        metric.update_log_probs([-1.0])  # float32 cannot count from 2^25 on by ones
    assert float(metric.nats) == 2.0**25 + 200
    assert int(metric.tokens) == 201


def test_perplexity_works_in_compiled_training_with_masks():
    inputs = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(11, 4, mask_zero=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(11)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=[Perplexity(from_logits=True), NextWordRecall(k=3)])
    words = np.array([[4, 5, 0], [6, 0, 0]])
    figures = model.evaluate(words, words, verbose=0, return_dict=True)
    chosen = direct_log_probs(words, model.predict(words, verbose=0))[words > 0]
    assert math.isclose(figures["perplexity"], math.exp(-chosen.mean()), rel_tol=1e-4)
    assert 0 <= figures["recall_at_3"] <= 1


def test_perplexity_of_a_sum():
    assert perplexity(math.log(7), 1) == pytest.approx(7)
    assert perplexity(math.inf, 3) == math.inf
    with pytest.raises(ZooError, match="0 tokens"):
        perplexity(1.0, 0)
    with pytest.raises(ZooError, match="one more axis"):
        Perplexity().update_state([[1, 2]], [[0.5, 0.5]])


@pytest.mark.parametrize("k", [1, 3])
def test_recall_equals_a_sorted_list_of_offers(k):
    metric = NextWordRecall(k=k)
    hits, asked = 0, 0
    for targets, logits in random_batches(seed=k):
        weights = np.ones_like(targets)
        weights[0, 0] = 0
        metric.update_state(targets, logits, sample_weight=weights)
        for target, row, weight in zip(
            targets.ravel(), logits.reshape(-1, 11), weights.ravel(), strict=True
        ):
            if weight and target not in (PAD, BOS, EOS):
                asked += 1
                hits += target in np.argsort(-row[4:])[:k] + 4
    assert (int(metric.hits), int(metric.asked)) == (hits, asked)
    np.testing.assert_allclose(metric.result(), hits / asked, rtol=1e-6)


def test_unknown_words_are_missed_and_eos_is_not_asked_for():
    scores = np.zeros((1, 2, 6), dtype="float32")
    scores[:, :, UNK] = 9
    scores[:, :, EOS] = 9
    metric = NextWordRecall(k=2)
    metric.update_state([[UNK, EOS]], scores)
    assert (int(metric.hits), int(metric.asked)) == (0, 1)
    with pytest.raises(ZooError, match="k=0"):
        NextWordRecall(k=0)


@pytest.mark.parametrize("metric", [Perplexity(True, 0), NextWordRecall(5)])
def test_metrics_survive_their_config(metric):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.get_config() == metric.get_config()


def test_bleu_equals_sacrebleu_with_varying_references():
    import sacrebleu

    streams = [["The cat is sitting on the mat.", REFERENCES[1]], ["A cat sat on the mat.", None]]
    result = bleu(HYPOTHESES, REFERENCES)
    assert result.score == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, streams).score)
    assert result.chrf == pytest.approx(sacrebleu.corpus_chrf(HYPOTHESES, streams).score)
    assert "nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:" in result.signature
    assert "nc:6" in result.chrf_signature


def test_bleu_bounds_and_case():
    assert bleu(HYPOTHESES, HYPOTHESES).score == pytest.approx(100)
    assert bleu(["xx yy zz qq"], ["aa bb cc dd"]).score < 5
    lowered = [text.lower() for text in HYPOTHESES]
    assert bleu(lowered, HYPOTHESES, lowercase=True).score == pytest.approx(100)
    assert "case:lc" in bleu(lowered, HYPOTHESES, lowercase=True).signature
    assert bleu(lowered, HYPOTHESES).score < 100


def test_bleu_refuses_what_it_cannot_score():
    with pytest.raises(ZooError, match="0 hypotheses and 0 references"):
        bleu([], [])
    with pytest.raises(ZooError, match="2 hypotheses and 1 references"):
        bleu(HYPOTHESES, ["x"])
    with pytest.raises(ZooError, match="hypothesis 1 has no reference"):
        bleu(HYPOTHESES, ["x", []])
    with pytest.raises(ZooError, match="tokenize='nope'"):
        bleu(HYPOTHESES, HYPOTHESES, tokenize="nope")


def test_sacrebleu_is_imported_only_when_it_is_asked_for(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "sacrebleu"]:
        monkeypatch.delitem(sys.modules, name)
    importlib.reload(sys.modules["zoo.metrics.bleu"])
    assert "sacrebleu" not in sys.modules
