"""`lm.gates`, `zoo inspect`: the stages that the notes describe, of a model, word by word."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.helpers.models import language_model, recurrent, tagger
from tests.helpers.seq2seq import translator
from tests.reference import language_models as reference
from tests.reference.stages import stages
from zoo.cli.main import main
from zoo.layers import GRU, cell_stages

TEXT = "the cat is small"
NAMES = {
    "rnn": ["h"],
    "gru": ["z", "r", "h_tilde", "h"],
    "lstm": ["i", "f", "c_tilde", "o", "c", "h"],
    "cifg": ["f", "c_tilde", "o", "c", "h"],
}


@cache
def model_of(cell: str) -> Any:
    listed = {"gru": "gru", "lstm": "lstm_tied", "cifg": "cifg_projected"}
    return language_model(listed[cell]) if cell in listed else recurrent(cell=cell)


@pytest.mark.parametrize("cell", NAMES)
def test_stages_are_those_of_the_equations(cell):
    model = model_of(cell)
    (gates,) = model.gates([TEXT])
    ids = [model.tokenizer.vocabulary.index(word) for word in gates.words]
    xs = reference.array(model.embedding.embeddings)[ids]
    assert list(gates.layers) == [layer.name for layer in model.recurrent_layers]
    for layer in model.recurrent_layers:
        shown = gates.layers[layer.name]
        expected = stages(cell, reference.parameters(cell, layer), xs)
        assert list(shown) == NAMES[cell]
        for name, values in shown.items():
            np.testing.assert_allclose(values, expected[name], atol=1e-6)
        xs = expected["h"]


def test_h_is_what_the_model_goes_on_with():
    model = model_of("lstm")
    (gates,) = model.gates([TEXT])
    assert gates.words == ["<bos>", *TEXT.split()]
    ids = np.array([[model.tokenizer.vocabulary.index(word) for word in gates.words]], np.int32)
    hidden, state = model.features(ids)
    first, second = gates.layers.values()
    np.testing.assert_allclose(second["h"], hidden[0], atol=1e-6)
    np.testing.assert_allclose(first["c"][-1], state["layer_0_c"][0], atol=1e-6)


def test_an_empty_text_is_its_first_token():
    empty, one = model_of("gru").gates(["", "she"])
    assert (empty.words, one.words) == (["<bos>"], ["<bos>", "she"])
    for name, shown in empty.layers.items():
        np.testing.assert_array_equal(shown["z"], one.layers[name]["z"][:1])


def test_both_directions_stand_at_their_words():
    model = language_model("deep_bidirectional")
    (gates,) = model.gates(["the ___ is small"])
    assert gates.words == ["<bos>", "the", "___", "is", "small", "<eos>"]
    both = [gates.layers[f"{way}_1"]["h"] for way in ("forward", "backward")]
    ids, blank = model.split_at_blank("the ___ is small")
    hidden = model.features(np.array([ids]), np.arange(6)[None, :] == blank)[0]
    np.testing.assert_allclose(np.concatenate(both, axis=1), hidden, atol=1e-6)
    assert model.gates(["the cat"])[0].words == ["<bos>", "the", "cat", "<eos>"]


def test_a_tagger_shows_its_gates():
    model = tagger(cell="gru")
    (gates,) = model.gates([TEXT])
    assert gates.words == ["<bos>", *TEXT.split(), "<eos>"]
    last = [stages["h"] for name, stages in gates.layers.items() if name.endswith("_1")]
    ids = np.array([[model.tokenizer.vocabulary.index(word) for word in gates.words]], np.int32)
    np.testing.assert_allclose(np.concatenate(last, axis=1), model.features(ids)[0], atol=1e-6)


def test_an_encoder_shows_its_gates():
    model = translator(cell="gru", bidirectional_encoder=True)
    text = "das haus"
    (gates,) = model.gates([text])
    context = model.encode(model.source_rows([text]))
    assert gates.words[-1] == "<eos>"
    assert list(gates.layers) == ["forward_recurrent_0", "backward_recurrent_0"]
    assert set(context)  # the recording is over: the encoder reads on as before


def test_the_form_with_the_reset_before_the_product_has_the_same_stages():
    x = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    layer = GRU(5, reset_after=False, return_sequences=True)
    shown = cell_stages(layer, x)
    np.testing.assert_allclose(shown["h"], layer(x), atol=1e-6)
    z, new = (np.asarray(shown[name][:, 0]) for name in ("z", "h_tilde"))
    np.testing.assert_allclose(shown["h"][:, 0], (1 - z) * new, atol=1e-6)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect") / "lm"
    model_of("lstm").save_to_preset(folder)
    return str(folder)


def test_the_command_gives_arrays_table_and_picture(preset, capsys, tmp_path):
    picture = tmp_path / "maps" / "gates.png"
    assert main(["inspect", preset, TEXT, "--json", "--plot", str(picture)]) == 0
    row = json.loads(capsys.readouterr().out)
    assert list(row) == ["text", "words", "layers", "picture"]
    assert [list(layer) for layer in row["layers"]] == [["name", "gates"]] * 2
    (gates,) = model_of("lstm").gates([TEXT])
    for layer in row["layers"]:
        for stage, values in layer["gates"].items():
            np.testing.assert_array_equal(np.float32(values), gates.layers[layer["name"]][stage])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["inspect", preset, TEXT]) == 0
    table = capsys.readouterr().out
    assert "c\u0303" in table
    forget = gates.layers["recurrent_0"]["f"].mean(axis=1)
    assert all(f"{value:9.3f}" in table for value in forget)


def test_one_unit_alone(preset, capsys):
    assert main(["inspect", preset, TEXT, "--unit", "2", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    (gates,) = model_of("lstm").gates([TEXT])
    shown = np.float32(row["layers"][0]["gates"]["c"])
    np.testing.assert_array_equal(shown, gates.layers["recurrent_0"]["c"][:, 2:3])
    assert main(["inspect", preset, TEXT, "--unit", "99"]) == 2
    assert "--unit 99: give a number from 0 to 6" in capsys.readouterr().err


def test_counts_have_no_gates(capsys):
    assert main(["inspect", "kn5_tatoeba_en", TEXT]) == 2
    assert "NGramLanguageModel, which has no gates" in capsys.readouterr().err
