"""The pointer to names: its equations word by word, the notes' two texts, presets, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from tests.helpers.models import language_model, recurrent
from zoo.cli.main import main
from zoo.errors import ZooError
from zoo.models import NGramLanguageModel, PointerLanguageModel
from zoo.text import BOS
from zoo.text.names import proper_names
from zoo.text.padding import pad

# Section 2.1 of the notes; WikiText-2 has its full stops and commas apart.
SENTENCE_1 = "Jane walked into the room. John walked in too. Jane said hi to"
SENTENCE_2 = (
    "Jane walked into the room. John walked in too. It was late in the day, and everyone was "
    "walking home after a long day at work. Jane said hi to"
)
TEXT = "tom said she saw the cat and tom saw she"


def mixed(model: PointerLanguageModel, log_probs: np.ndarray, read: list[int]) -> np.ndarray:
    """p of every word by the equations of zoo/models/pointer.py, in plain NumPy."""
    p = np.exp(log_probs.astype(np.float64))
    names = [model.tokenizer.vocabulary.index(name) for name in model.names]
    named = [i for i in names if i in read]
    if not named:
        return p
    mass = sum(p[i] for i in names)
    share = model.gamma * mass / (1 + model.gamma * mass)
    result = (1 - share) * p
    for i in named:
        result[i] += share * p[i] / sum(p[j] for j in named)
    return result


def test_each_step_is_the_mixture_of_the_equations():
    model = language_model("pointer")
    ids = [BOS, *model.tokenizer.encode(TEXT)]
    state, own = model.initial_state(1), model.model.initial_state(1)
    for t, token in enumerate(ids):
        found, state = model.step(np.array([token], np.int32), state)
        plain, own = model.model.step(np.array([token], np.int32), own)
        expected = mixed(model, np.asarray(plain)[0], ids[: t + 1])
        np.testing.assert_allclose(np.exp(np.asarray(found)[0]), expected, rtol=1e-4, atol=1e-8)
    assert np.asarray(state["names_seen"]).tolist() == [[1.0, 1.0, 1.0]]


def test_names_are_carried_over_from_piece_to_piece():
    model = language_model("pointer")
    ids = np.array([[BOS, *model.tokenizer.encode(TEXT)]], np.int32)
    inputs, targets = ids[:, :-1], ids[:, 1:]
    whole, _ = model.continued_log_probs(inputs, targets)
    first, state = model.continued_log_probs(inputs[:, :4], targets[:, :4])
    second, _ = model.continued_log_probs(inputs[:, 4:], targets[:, 4:], state)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-5)


def first_words(lm: PointerLanguageModel, texts: list[str]) -> list[str]:
    return [words[0][0] for words in lm.next_words(texts, k=1)]


def test_jane_said_hi_to_john_in_everyday_english():
    names = ["tom", "mary", "john", "alice", "bob", "jack", "george", "boston"]
    lm = PointerLanguageModel.of_preset("lstm_tatoeba_en", names, gamma=10.0)
    assert first_words(lm, [SENTENCE_1, SENTENCE_2]) == ["john", "john"]
    assert first_words(PointerLanguageModel(lm.model, names, 0.0), [SENTENCE_1]) != ["john"]


def test_jane_said_hi_to_john_in_encyclopedic_english():
    """Both names are in this vocabulary: the network must choose between them."""
    network = zoo.load("lstm_wikitext2")
    words = network.tokenizer.vocabulary
    lower = set(words)
    names = [w for w in words if w[:1].isupper() and w[1:].islower() and w.lower() not in lower]
    assert {"Jane", "John"} <= set(names)
    lm = PointerLanguageModel(network, names, gamma=10.0)
    texts = [t.replace(".", " .").replace(",", " ,") for t in (SENTENCE_1, SENTENCE_2)]
    ids, lengths = pad([[BOS, *lm.tokenizer.encode(text)] for text in texts])
    best = np.asarray(lm.next_log_probs(ids, lengths)).argmax(axis=1)
    assert [words[i] for i in best] == ["John", "John"]


def test_names_are_known_by_their_capitals_inside_sentences():
    corpus = [
        "The Duke saw Tom, and Tom saw the duke.",
        "I said: Ask Mary. I think I saw Mary.",
        "Go to the USA with Mary or go with Tom!",
        "We go. Go now.",
    ]
    lower = ["the", "tom", "mary", "duke", "i", "usa", "go", "ask", "elsewhere"]
    assert proper_names(corpus, lower, lowercase=True) == ["tom", "mary"]
    assert proper_names(corpus, ["Tom", "tom", "The", "Mary"], lowercase=False) == ["Tom", "Mary"]


def test_a_preset_holds_names_and_network(tmp_path):
    model = language_model("pointer")
    model.save_to_preset(tmp_path / "pointer")
    again = zoo.load(tmp_path / "pointer")
    assert (again.names, again.gamma) == (model.names, model.gamma)
    for kept, found in zip(model.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, kept)


def test_a_config_finds_the_names_in_the_training_text(tmp_path, capsys):
    language_model("pointer").model.save_to_preset(tmp_path / "network")
    for part in ("train", "valid", "test"):
        lines = "the cat saw Tom.\nshe is with Tom\nThe garden is old.\n"
        (tmp_path / f"{part}.txt").write_text(lines, encoding="utf-8")
    config = tmp_path / "pointer.yaml"
    text = f"name: toy\ndata: {{name: {tmp_path}}}\nmodel: {{class: PointerLanguageModel, "
    config.write_text(f"{text}model: {tmp_path}/network, gamma: 3}}\n", encoding="utf-8")
    assert main(["train", str(config), "--out", str(tmp_path / "out")]) == 0
    model = zoo.load(tmp_path / "out")
    assert (model.names, model.gamma) == (["tom"], 3.0)
    config.write_text(f"{text}gammas: 3}}\n", encoding="utf-8")
    assert main(["train", str(config), "--out", str(tmp_path / "no")]) == 2
    assert "give `model`, a preset or directory, and `gamma`" in capsys.readouterr().err


def test_what_cannot_be_is_refused():
    network = recurrent(num_layers=1)
    with pytest.raises(ZooError, match="no steps on tensors"):
        PointerLanguageModel(NGramLanguageModel.train(["a b"], order=2), ["a"])
    with pytest.raises(ZooError, match="'nobody'"):
        PointerLanguageModel(network, ["tom", "nobody"])
    with pytest.raises(ZooError, match="words of the model's vocabulary"):
        PointerLanguageModel(network, [])
    with pytest.raises(ZooError, match="gamma=-1"):
        PointerLanguageModel(network, ["tom"], gamma=-1)
