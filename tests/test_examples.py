"""The scripts of examples/, each run on something small."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path

import pytest

from zoo.models import NGramLanguageModel

FOLDER = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def example(name):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    texts = ["it is hard to recognise speech", "it is hard to see a beach", "it is nice"]
    folder = tmp_path_factory.mktemp("examples") / "lm"
    NGramLanguageModel.train(texts, order=3).save_to_preset(folder)
    return str(folder)


def test_keyboard(preset, monkeypatch, capsys):
    typed = iter(["it", "1", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: print(prompt) or next(typed))
    example("keyboard").main(preset)
    assert "it is> " in capsys.readouterr().out


def test_rank_hypotheses(preset, capsys):
    example("rank_hypotheses").main(preset)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("recognise speech")


def test_vanishing_gradients(capsys):
    example("vanishing_gradients").main(17)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "16"
    shown = {row.split()[0]: [float(norm) for norm in row.split()[1:]] for row in rows}
    assert set(shown) == {"SimpleRNN", "GRU", "LSTM"}
    assert all(norms[-1] < norms[0] for norms in shown.values())


def test_translate_grpc(tmp_path, monkeypatch, capsys):
    from tests.serving.playable import write_playable
    from tests.serving.running import running

    write_playable(tmp_path / "1")
    monkeypatch.setattr(sys, "stdin", io.StringIO("Wo ist sie?\nUnd er?\n"))
    with running("--model_name=m", f"--model_base_path={tmp_path}") as address:
        example("translate_grpc").main(address.grpc, "m")
    assert capsys.readouterr().out == " -0.250  Where is the station?\n" * 2


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_each_is_short_tested_and_told_of(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 50
    assert f"def test_{path.stem}(" in Path(__file__).read_text(encoding="utf-8")
    assert f"`examples/{path.name}`" in (FOLDER.parent / "docs" / "examples.md").read_text("utf-8")
