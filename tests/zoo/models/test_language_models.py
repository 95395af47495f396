"""What every language model must do, on each listed architecture."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

import zoo
from tests.helpers.models import (
    CLOZE_MODELS,
    LANGUAGE_MODELS,
    TEXTS,
    WRAPPED_MODELS,
    language_model,
    tokenizer,
)
from training.tasks.cloze import cloze_perplexity
from zoo.errors import ZooError
from zoo.models import compiled
from zoo.models.language_model import LanguageModel
from zoo.text import BOS, EOS
from zoo.text.padding import pad


@pytest.fixture(params=[*LANGUAGE_MODELS, *WRAPPED_MODELS], scope="module")
def model(request):
    return language_model(request.param)


@pytest.fixture(params=CLOZE_MODELS, scope="module")
def cloze(request):
    return language_model(request.param)


def by_steps(model, text):
    """A sentence's log-probability, one token at a time."""
    ids = model.tokenizer.encode(text)
    state, total = model.initial_state(1), 0.0
    for token, target in zip([BOS, *ids], [*ids, EOS], strict=True):
        log_probs, state = model.step(np.array([token], np.int32), state)
        total += float(np.asarray(log_probs)[0, target])
    return total


def test_scores_agree_with_steps_and_do_not_depend_on_the_batch(model):
    together = [score.log_prob for score in model.score(TEXTS)]
    alone = [model.score([text])[0].log_prob for text in TEXTS]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(together, [by_steps(model, text) for text in TEXTS], atol=1e-4)


def test_scores_count_tokens_and_unknown_words(model):
    scores = model.score(TEXTS)
    assert [score.tokens for score in scores] == [8, 1, 2, 4, 9]
    assert [score.oov for score in scores] == [0, 0, 0, 3, 0]
    assert scores[1].perplexity == pytest.approx(np.exp(-scores[1].log_prob))


def test_distributions_sum_to_one(model):
    ids, lengths = pad([[BOS, *model.tokenizer.encode(text)] for text in TEXTS])
    log_probs = np.asarray(model.next_log_probs(ids, lengths))
    assert log_probs.shape == (len(TEXTS), model.tokenizer.vocabulary_size)
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, atol=1e-5)


def test_consuming_a_text_is_stepping_through_it(model):
    ids, lengths = pad([[BOS, *model.tokenizer.encode(text)] for text in TEXTS])
    consumed = model.consume(ids, lengths)
    for row, length in enumerate(lengths):
        state = model.initial_state(1)
        for token in ids[row, :length]:
            _, state = model.step(np.array([token], np.int32), state)
        for name, value in state.items():
            np.testing.assert_allclose(
                ops.convert_to_numpy(consumed[name])[row], ops.convert_to_numpy(value)[0], atol=1e-5
            )


def test_next_words_are_real_words_in_order(model):
    (words,) = model.next_words(["the cat"], k=5)
    probabilities = [p for _, p in words]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1
    assert not {w for w, _ in words} & {"<pad>", "<unk>", "<bos>", "<eos>"}
    assert len(model.next_words([""], k=10**9)[0]) == model.tokenizer.vocabulary_size - 4


def test_rank_and_generate(model):
    ranked = model.rank(TEXTS)
    assert [p for _, p in ranked] == sorted((p for _, p in ranked), reverse=True)
    text = model.generate("the cat", sampler=zoo.TopP(0.9), max_words=6, seed=2)
    assert text.startswith("the cat")
    assert text == model.generate("the cat", sampler=zoo.TopP(0.9), max_words=6, seed=2)
    both = model.generate(["the cat", ""], sampler=zoo.Beam(3), max_words=4)
    assert len(both) == 2


@pytest.mark.parametrize("sampler", [zoo.TopP(0.9), zoo.Beam(3)], ids=["top_p", "beam"])
def test_a_text_is_generated_in_one_graph_call(model, sampler, monkeypatch):
    prompts, settings = ["the cat", ""], {"sampler": sampler, "max_words": 6, "seed": 3}
    by_hand = LanguageModel.generate(_StepByStep(model), prompts, **settings)
    texts = model.generate(prompts, **settings)
    assert texts == by_hand
    for method in ("step", "step_graph"):  # a second call steps in no Python and traces nothing
        monkeypatch.setattr(type(model), method, _refused)
    assert model.generate(prompts, **settings) == texts


class _StepByStep:
    """A model whose texts grow by one call of `step` a word."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        return getattr(self._model, name)

    def continued(self, *arguments):
        return LanguageModel.continued(self._model, *arguments)


def _refused(*arguments):
    raise AssertionError("a step in Python")


def test_many_samplers_do_not_push_out_the_methods_graphs(monkeypatch):
    model = LANGUAGE_MODELS["lstm_tied"]()
    monkeypatch.setattr(compiled, "MOST_GRAPHS", 2)
    model.next_words(["the cat"])
    methods = {key for key in model._compiled if isinstance(key, str)}
    for k in (1, 2, 3, 4):
        model.generate("the", max_words=2, sampler=zoo.TopK(k))
    kept = set(model._compiled)
    assert methods
    assert methods < kept
    assert {key for key in kept if isinstance(key, zoo.TopK)} == {zoo.TopK(3), zoo.TopK(4)}


def test_a_beam_finds_no_worse_text_than_greedy(model):
    greedy, beam = (
        model.generate("the cat", sampler=s, max_words=30) for s in (zoo.Greedy(), zoo.Beam(8))
    )
    ended = model.score([greedy, beam])
    if ended[0].tokens < 30 and ended[1].tokens < 30:
        assert ended[1].log_prob >= ended[0].log_prob - 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_presets_keep_a_model(model, dtype, tmp_path):
    model.save_to_preset(tmp_path / "preset", info={"licence": "MIT"}, dtype=dtype)
    loaded = zoo.load(tmp_path / "preset")
    assert type(loaded) is type(model)
    ours, theirs = ([s.log_prob for s in m.score(TEXTS)] for m in (model, loaded))
    np.testing.assert_allclose(ours, theirs, atol=1e-5 if dtype == "float32" else 2e-2)


def test_cloze_distributions_sum_to_one_and_ignore_the_word_itself(cloze):
    """The word at the blank must not matter: it is never seen."""
    words = cloze.tokenizer.encode("the cat is small at home.")
    rows = [[BOS, *words[:2], filler, *words[3:], EOS] for filler in (words[2], words[0])]
    ids, lengths = pad(rows)
    positions = np.array([3, 3], np.int32)
    log_probs = ops.convert_to_numpy(cloze.fill_log_probs_graph(ids, lengths, positions))
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(log_probs[0], log_probs[1], atol=1e-6)


def test_cloze_sees_past_and_future(cloze):
    def at_blank(text):
        return dict(cloze.fill([text], k=99)[0])

    base = at_blank("the cat ___ small at home")
    for other in ("the dog ___ small at home", "the cat ___ small at school"):
        changed = at_blank(other)
        assert any(abs(base[word] - changed[word]) > 1e-7 for word in base)


def test_cloze_does_not_depend_on_padding(cloze):
    texts = ["the ___ is small", "___", "tom ___ very old in the garden near the station today"]
    together = cloze.fill(texts, k=3)
    for text, words in zip(texts, together, strict=True):
        (alone,) = cloze.fill([text], k=3)
        np.testing.assert_allclose([p for _, p in words], [p for _, p in alone], atol=1e-6)


def test_cloze_perplexity_counts_words_only(cloze):
    sentences = [cloze.tokenizer.encode("the cat is small"), cloze.tokenizer.encode("she")]
    figures = cloze_perplexity(cloze, sentences)
    assert figures["tokens"] == 5
    assert 1 < figures["cloze_perplexity"] < 10 * cloze.tokenizer.vocabulary_size


def test_cloze_presets_keep_a_model(cloze, tmp_path):
    cloze.save_to_preset(tmp_path / "preset")
    text = ["the ___ is small"]
    ours, theirs = cloze.fill(text, k=5)[0], zoo.load(tmp_path / "preset").fill(text, k=5)[0]
    np.testing.assert_allclose([p for _, p in ours], [p for _, p in theirs], atol=1e-6)


@pytest.mark.parametrize("text", ["no blank", "two ___ of ___ them", ""])
def test_cloze_wants_one_blank(text):
    with pytest.raises(ZooError, match="write exactly one as ___"):
        language_model("bidirectional").fill([text])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.score("one string"), "give a list of str"),
        (lambda m: m.score([b"bytes"]), "decode it to str"),
        (lambda m: m.next_words(["a"], k=0), "k=0"),
        (lambda m: m.next_words(["a"], k=True), "k=True"),
        (lambda m: m.generate("a", max_words=-1), "max_words=-1"),
        (lambda m: m.generate(None), "list"),
    ],
)
def test_bad_calls_say_what_was_wrong(call, message):
    with pytest.raises(ZooError, match=message):
        call(language_model("lstm_tied"))


def test_ten_thousand_words_are_scored():
    (score,) = language_model("lstm_tied").score(["the cat " * 5_000])
    assert score.tokens == 10_001
    assert np.isfinite(score.log_prob)


def test_tying_shares_the_matrix():
    tied, free = language_model("lstm_tied"), language_model("gru")
    shapes = [tuple(w.shape) for w in tied.trainable_weights]
    size = tokenizer().vocabulary_size
    assert sum(size in shape for shape in shapes) == 2  # embedding and output bias
    assert sum(size in tuple(w.shape) for w in free.trainable_weights) == 3
