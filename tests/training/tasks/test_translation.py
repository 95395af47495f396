"""Training translation: a toy task learnt, batches, the smoothed loss, evaluation rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras import ops

import zoo
from training.config import (
    AugmentationConfig,
    DataConfig,
    OptimizerConfig,
    RunConfig,
    TrainingConfig,
    checked,
    read_run_config,
)  # fmt: skip
from training.datasets import Corpus, Pair
from training.run.fit import make_run
from training.tasks.pair_batches import EncodedPairs, pair_batches
from training.tasks.translation import (
    TranslationOptions,
    TranslationTask,
    evaluate_translation,
    smoothing_term,
)
from zoo.errors import ZooError
from zoo.text import BOS, EOS, PAD
from zoo.text.carrying import SYMBOLS

LETTERS = list("abcdefg")
EPOCHS = 6


def reversed_copies(count: int, seed: int) -> list[Pair]:
    """Words of letters whose translation is the same letters backwards."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        letters = list(rng.choice(LETTERS, rng.integers(1, 5)))
        pairs.append(Pair(" ".join(letters), " ".join(letters[::-1])))
    return pairs


def toy_config(**model) -> RunConfig:
    settings = {"units": 32, "embedding_dim": 16, "max_target_length": 16, **model}
    return RunConfig(
        name="reversed_copy",
        data=DataConfig(name="toy", vocabulary_size=None),
        model={"class": "Seq2Seq", **settings},
        training=TrainingConfig(
            epochs=12,
            batch_size=32,
            stop_after=20,
            patience=20,
            optimizer=OptimizerConfig(learning_rate=0.01, clip_norm=5.0),
            options={"valid_pairs": 40},
        ),
    )


def toy_corpus() -> Corpus:
    held_out = {pair.source for pair in reversed_copies(60, seed=2)}
    train = [pair for pair in reversed_copies(1500, seed=1) if pair.source not in held_out]
    held = [pair for pair in reversed_copies(60, seed=2) if len(pair.source) > 4]
    return Corpus("toy", train, held, held, "own")


@pytest.fixture
def toy_run(monkeypatch, tmp_path):
    def make(**model):
        monkeypatch.setattr("training.datasets.load", lambda *_: toy_corpus())
        return make_run(toy_config(**model), None, tmp_path / "preset")

    return make


def test_the_reversed_copy_task_is_learnt(toy_run):
    """Trained as `zoo train` does, but judged once at the end."""
    run = toy_run(separate_weights=True, feed_context=True, attention="bahdanau")
    losses = []
    for _ in range(EPOCHS):
        run.pass_over_data()
        losses.append(run.state.mean_loss)
        run.state.next_epoch()
    assert losses[-1] < 0.1 < losses[0]
    texts = ["a b c d", "g f", "e", "c c a b"]
    answers = [best[0][0] for best in run.task.model.translate(texts)]
    assert answers == ["d c b a", "f g", "e", "b a c c"]
    bleu, chrf, *_, perplexity = evaluate_translation(run.task.model, toy_corpus().test)
    assert bleu["value"] > 90
    assert "version:" in bleu["signature"]
    assert chrf["metric"] == "chrf"
    assert 1.0 <= perplexity["value"] < 1.6
    assert run.task.evaluate()["bleu"] > 90


def test_batches_hold_every_pair_once():
    pairs = EncodedPairs(
        [[5] * n + [EOS] for n in range(1, 12)], [[6] * (n % 4 + 1) for n in range(1, 12)]
    )
    for rng in (None, np.random.default_rng(3)):
        seen = []
        for batch in pair_batches(pairs, 4, rng):
            assert batch["source"].shape[0] == 4
            assert (batch["weights"] == (batch["targets"] != PAD)).all()
            for source, inputs, targets in zip(
                batch["source"], batch["inputs"], batch["targets"], strict=True
            ):
                if targets.any():
                    words = targets[targets != PAD][:-1]
                    assert inputs[0] == BOS
                    assert (inputs[1 : len(words) + 1] == words).all()
                    seen.append((int((source != PAD).sum()), len(words)))
        expected = [(len(s), len(t)) for s, t in zip(pairs.sources, pairs.targets, strict=True)]
        assert sorted(seen) == sorted(expected)


def test_a_run_with_everything_is_the_same_again_and_has_one_vocabulary():
    config = toy_config(carry_over="de_en", separate_weights=True, num_layers=2, decoder_layers=1)
    config.training.options["shared_vocabulary"] = True
    changes = {"lower": 0.5, "typos": 0.5, "joined": 0.5}
    data = config.data.model_copy(update={"tokenizer": "subword", "lowercase": False})
    training = config.training.model_copy(
        update={"augmentation": AugmentationConfig(**changes), "batch_size": 4}
    )
    config = config.model_copy(update={"data": data, "training": training})
    pairs = [Pair(f"Es sind {n} Hunde.", f"There are {n} dogs.") for n in range(9)]
    task = TranslationTask(config, Corpus("toy", pairs, pairs, pairs))
    assert task.model.source_tokenizer is task.model.target_tokenizer
    assert set(SYMBOLS) <= set(task.model.source_tokenizer.vocabulary)
    batches = [list(task.batches(epoch)) for epoch in (0, 0, 1)]
    assert len(batches[0]) == task.steps_per_epoch() == 4  # 9 pairs and 4 joined ones
    np.testing.assert_equal(batches[0], batches[1])
    shown = [sorted(map(str, (b["source"] for b in epoch))) for epoch in batches]
    assert shown[1] != shown[2]


def test_the_source_is_turned_around_in_the_batch(monkeypatch):
    pairs = [Pair("a b c", "a")]
    corpus = Corpus("toy", pairs, pairs, pairs)
    task = TranslationTask(toy_config(reverse_source=True), corpus)
    (batch,) = task.batches(0)
    tokens = [task.model.source_tokenizer.vocabulary[i] for i in batch["source"][0][:4]]
    assert tokens == ["c", "b", "a", "<eos>"]


def test_label_smoothing_is_its_definition():
    words = zoo.text.WordTokenizer.train(["a b c d e"])
    output = zoo.layers.VocabularyOutput(words.vocabulary_size)
    hidden = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    logits = ops.convert_to_numpy(output(hidden)).astype("float64")
    targets, weights = np.array([[4, 5, 6], [7, 3, 0]]), np.array([[1, 1, 1], [1, 1, 0.0]])
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    own = np.take_along_axis(log_p, targets[..., None], -1)[..., 0]
    eps = 0.1
    smoothed = (1 - eps) * -own + eps * -log_p.mean(-1)
    term = float(smoothing_term(output, hidden, targets, weights))
    assert (-own * weights).sum() + eps * term == pytest.approx((smoothed * weights).sum(), 1e-5)


def test_bad_runs_are_refused_in_one_line():
    corpus = Corpus("toy", ["no pairs"], [], [])
    with pytest.raises(ZooError, match="sentence pairs"):
        TranslationTask(toy_config(), corpus)
    config = toy_config()
    config.training.options["beam"] = 3
    with pytest.raises(ZooError, match="training.options: unknown key 'beam'"):
        TranslationTask(config, toy_corpus())


@pytest.mark.parametrize("path", sorted(Path("training/configs").glob("*_de*.yaml")), ids=str)
def test_the_published_configs_can_be_read(path):
    config = read_run_config(path)
    assert config.model.class_name == "Seq2Seq"
    checked(TranslationOptions, config.training.options, "training.options")
