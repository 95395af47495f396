"""Preset directories: damaged and foreign ones are refused, and nothing in them can run."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

import zoo
from tests.helpers.models import language_model
from tests.helpers.presets import without_sums
from zoo.errors import ZooError
from zoo.presets import store


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "good"
    return language_model("lstm_tied").save_to_preset(folder, info={"description": "toy"})


@pytest.fixture
def copy(good, tmp_path):
    return without_sums(shutil.copytree(good, tmp_path / "copy"))


def change(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}), encoding="utf-8")


def test_a_preset_is_plain_files(good):
    names = {path.name for path in good.iterdir()}
    assert names == {
        "config.json",
        "vocabulary.txt",
        "tokenizer.json",
        "model.weights.h5",
        "card.md",
    }
    assert good.stat().st_mode & 0o777 == 0o755


DAMAGE = {
    "no config": (lambda p: (p / "config.json").unlink(), "config.json is missing"),
    "half a config": (lambda p: (p / "config.json").write_text('{"form'), "is damaged"),
    "a list": (lambda p: (p / "config.json").write_text("[]"), "not a JSON object"),
    "another format": (lambda p: change(p, format=99), "preset format 99"),
    "a foreign class": (lambda p: change(p, **{"class": "os.system"}), "unknown model class"),
    "unknown settings": (lambda p: change(p, config={"colour": 1}), "does not fit"),
    "wrong sizes": (lambda p: change(p, config={"units": 3}), "damaged or does not fit"),
    "unknown info": (lambda p: change(p, info={"x": 1}), "unreadable 'info'"),
    "no weights": (lambda p: (p / "model.weights.h5").unlink(), "incomplete"),
    "half the weights": (
        lambda p: (p / "model.weights.h5").write_bytes((p / "model.weights.h5").read_bytes()[:900]),
        "damaged",
    ),
    "empty weights": (lambda p: (p / "model.weights.h5").write_bytes(b""), "damaged"),
    "no vocabulary": (lambda p: (p / "vocabulary.txt").unlink(), "vocabulary.txt is missing"),
    "as many units as memory": (lambda p: change(p, config={"units": 10**9}), "units=1000000000"),
    "a million layers": (lambda p: change(p, config={"num_layers": 10**6}), "num_layers=1000000"),
    "wide layers": (lambda p: change(p, config={"units": 1024, "num_layers": 8}), "or more, model"),
    "a shorter vocabulary": (
        lambda p: (p / "vocabulary.txt").write_text("<pad>\n<unk>\n<bos>\n<eos>\na\n"),
        "damaged or does not fit",
    ),
    "no tokenizer": (lambda p: (p / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "a negative size": (lambda p: change(p, config={"units": -1}), "units=-1"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_in_one_line(name, copy):
    damage, message = DAMAGE[name]
    damage(copy)
    with pytest.raises(ZooError, match=message) as error:
        zoo.load(copy)
    assert "\n" not in str(error.value)


def test_weights_with_nan_are_refused(copy):
    import h5py

    def spoil(name, item):
        if isinstance(item, h5py.Dataset) and item.size > 10:
            item[...] = float("nan")

    with h5py.File(copy / "model.weights.h5", "r+") as file:
        file.visititems(spoil)
    with pytest.raises(ZooError, match="NaN or infinity"):
        zoo.load(copy)


def test_names_and_paths(tmp_path, good):
    with pytest.raises(ZooError, match="no preset or directory"):
        zoo.load("../no such place")
    with pytest.raises(ZooError, match="not a directory written by save_to_preset"):
        zoo.load(tmp_path)
    with pytest.raises(ZooError, match="holds a RecurrentLanguageModel"):
        zoo.models.NeuralProbabilisticLanguageModel.from_preset(good)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(ZooError, match="holds other files"):
        language_model("nplm").save_to_preset(tmp_path / "mine")
    with pytest.raises(ZooError, match="float16"):
        language_model("nplm").save_to_preset(tmp_path / "new", dtype="int4")
    assert not (tmp_path / "new").exists()


def test_writing_replaces_a_preset_as_a_whole(tmp_path, monkeypatch):
    target = tmp_path / "preset"
    language_model("lstm_tied").save_to_preset(target)
    monkeypatch.setattr(store.json, "dumps", lambda *a, **k: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        language_model("nplm").save_to_preset(target)
    monkeypatch.undo()
    assert type(zoo.load(target)).__name__ == "RecurrentLanguageModel"
    language_model("nplm").save_to_preset(target)
    assert type(zoo.load(target)).__name__ == "NeuralProbabilisticLanguageModel"
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]


def test_float16_presets_keep_eight_binary_digits_of_each_weight(tmp_path):
    model = language_model("lstm_tied")
    folders = [model.save_to_preset(tmp_path / d, dtype=d) for d in ("float32", "float16")]
    wide, narrow = (zoo.load(folder) for folder in folders)
    for exact, kept in zip(wide.get_weights(), narrow.get_weights(), strict=True):
        np.testing.assert_allclose(kept, exact, rtol=2**-8, atol=2**-24)
    again = zoo.load(narrow.save_to_preset(tmp_path / "again", dtype="float16"))
    for kept, twice in zip(narrow.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(twice, kept)


@pytest.mark.parametrize("name", sorted(store.shipped_presets()))
def test_shipped_presets_are_small_and_say_what_they_are(name):
    folder = store.shipped_presets()[name]
    info = store.read_config(folder).info
    assert info.description
    assert info.licence
    assert info.metrics
    assert info.train_command == f"zoo train {name}"
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 25e6
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert info.licence in card
    assert info.train_command in card


FACTS = {"description": "toy", "data": "our texts", "licence": "CC-BY-2.0", "metrics": {"bits": 3}}


@pytest.fixture
def credited(tmp_path):
    """A preset with all that its users must go on saying."""
    return language_model("nplm").save_to_preset(
        tmp_path / "credited", info=FACTS, card="# Credited\n\nBy the people of the toy corpus.\n"
    )


def test_a_copy_keeps_what_is_said_of_the_model(credited, tmp_path):
    copy = zoo.load(credited).save_to_preset(tmp_path / "copy")
    info = store.read_config(copy).info
    assert {name: getattr(info, name) for name in FACTS} == FACTS
    assert re.fullmatch(r"credited \([0-9a-f]{12}\)", info.made_from)
    card = (copy / "card.md").read_text()
    assert "people of the toy corpus" in card
    assert "`copy` was made from `credited (" in card
    assert "changed" not in card
    again = store.read_config(zoo.load(copy).save_to_preset(tmp_path / "again")).info
    assert again.made_from.endswith(f", made from {info.made_from}")


def test_figures_of_other_weights_say_whose_they_are(credited, tmp_path):
    model = zoo.load(credited)
    model.embedding.embeddings.assign(model.embedding.embeddings * 2)
    model.save(tmp_path / "changed.keras")
    for changed in (model, zoo.load(tmp_path / "changed.keras")):
        copy = changed.save_to_preset(tmp_path / "copy")
        info = store.read_config(copy).info
        assert (info.licence, info.metrics) == ("CC-BY-2.0", {"bits_of_credited": 3})
        assert info.made_from.endswith("then changed")
        assert "is said of `credited`" in (copy / "card.md").read_text()
    own = model.save_to_preset(tmp_path / "own", info={"metrics": {"bits": 2}}, card="# Own\n")
    assert store.read_config(own).info.metrics == {"bits": 2}
    assert (own / "card.md").read_text() == "# Own\n"
