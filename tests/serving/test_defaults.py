"""Serving without a model named: the shipped presets, exported once."""

from __future__ import annotations

import shutil

import pytest

from serving import defaults
from serving.errors import ServingError
from serving.options import parse
from serving.server import with_defaults
from zoo.io import CACHE_VARIABLE


@pytest.fixture
def presets(models, monkeypatch, tmp_path):
    """Two presets, one of them listed in the stock config, and an export that copies a model."""
    import export.saved_model.exporter
    import zoo
    from zoo.presets import store

    folders = {}
    for name in ("lstm_tatoeba_en", "another"):
        folders[name] = tmp_path / "presets" / name
        folders[name].mkdir(parents=True)
        (folders[name] / "config.json").write_text("{}")
    exports = []

    def fake_export(model, out):
        exports.append(model)
        (source,) = (models / "text").iterdir()
        shutil.copytree(source, out / "1")

    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "the cache"))
    monkeypatch.setattr(store, "shipped_presets", lambda: folders)
    monkeypatch.setattr(zoo, "load", lambda name: name)
    monkeypatch.setattr(export.saved_model.exporter, "export_saved_model", fake_export)
    return folders, exports


def test_presets_are_exported_once_and_their_paths_moved(presets, tmp_path):
    _, exports = presets
    listed = {m.name: m for m in defaults.shipped_config().model_config_list.config}
    assert set(listed) == {"lstm_tatoeba_en", "another"}
    for name, model in listed.items():
        assert model.base_path.startswith(f"{tmp_path}/the cache/exports/{name}/")
        assert model.model_platform == "tensorflow"
    assert defaults.shipped_config().model_config_list.config[0] == listed["lstm_tatoeba_en"]
    assert exports == ["lstm_tatoeba_en", "another"]


def test_a_changed_preset_is_exported_anew(presets):
    folders, exports = presets
    defaults.shipped_config()
    (folders["another"] / "config.json").write_text('{"changed": true}')
    defaults.shipped_config()
    assert exports == ["lstm_tatoeba_en", "another", "another"]


def test_an_export_that_fails_leaves_nothing_behind(presets, monkeypatch, tmp_path):
    import export.saved_model.exporter

    def failing(model, out):
        (out / "1").mkdir(parents=True)
        raise OSError("disk full")

    monkeypatch.setattr(export.saved_model.exporter, "export_saved_model", failing)
    with pytest.raises(OSError, match="disk full"):
        defaults.shipped_config()
    assert not list((tmp_path / "the cache" / "exports" / "lstm_tatoeba_en").iterdir())


def test_without_presets_it_says_so(presets, monkeypatch):
    from zoo.presets import store

    monkeypatch.setattr(store, "shipped_presets", dict)
    with pytest.raises(ServingError, match="no preset is shipped"):
        defaults.shipped_config()


def test_the_rest_port_is_on_only_without_a_model():
    assert with_defaults(parse([])).rest_api_port == 8501
    assert with_defaults(parse(["--model_base_path=/m"])).rest_api_port == 0
    assert with_defaults(parse(["--rest_api_port=0"])).rest_api_port == 0
