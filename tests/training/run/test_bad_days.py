"""Runs that cannot go on: one line, exit code 2, and the last checkpoint as it was."""

from __future__ import annotations

import random
import resource
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers.corpus import english
from training.config import read_run_config
from training.run import fit, guards
from training.run.checkpoint import load_checkpoint, save_checkpoint
from training.run.fit import train_epochs
from zoo.cli.main import main
from zoo.errors import ZooError
from zoo.models import NGramLanguageModel

CONFIG = """
name: tiny
data: {{name: {data}, vocabulary_size: null}}
model: {{class: RecurrentLanguageModel, units: 6, embedding_dim: 6, num_layers: 1}}
training: {{epochs: 2, batch_size: 32, gradient_flow_every: 0}}
"""
COUNTED = "model: {{class: NGramLanguageModel, order: 2}}\nname: n\ndata: {{name: {data}}}\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, its configs and a run of one epoch."""
    folder = tmp_path_factory.mktemp("run")
    write_text(folder)
    for name, content in (("tiny", CONFIG), ("counted", COUNTED)):
        path = folder / f"{name}.yaml"
        path.write_text(content.format(data=folder / "text.txt"), encoding="utf-8")
    config = read_run_config(folder / "tiny.yaml", ["training.epochs=1"])
    list(train_epochs(config, out=folder / "out"))
    return folder


def write_text(folder: Path, *more: str) -> None:
    (folder / "text.txt").write_text("\n".join([*english(60), *more]), encoding="utf-8")


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a run ends with."""
    capsys.readouterr()
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return [line for line in error.splitlines() if line.startswith("zoo train:")][-1]


def resume(files: Path) -> list[str]:
    return [str(files / "tiny.yaml"), "--out", str(files / "out"), "--resume"]


def test_changed_data_are_told_of_on_resuming(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(files, "The cat is small at home.")  # no new word: every shape is as it was
    assert "text.txt has changed since" in error_of(capsys, *resume(files))
    write_text(files)


@pytest.mark.parametrize("least", [0, 100, 9_000])
def test_a_file_size_limit_ends_a_run_in_one_line(
    least: int, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a full disk does, at different files of a run."""
    kept = {p: p.read_bytes() for p in (files / "out.training").glob("*") if p.is_file()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, limits[1]))
        error = error_of(capsys, *resume(files))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "File too large; what was written before is whole" in error
    checkpoint = files / "out.training" / "checkpoint.npz"
    assert checkpoint.read_bytes() == kept[checkpoint]
    assert not [path for path in files.rglob(".*") if path.is_file()]


def test_another_run_in_the_same_directory_is_told_who_holds_it(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with guards.held(fit.directory_of(files / "mine")):
        error = error_of(capsys, str(files / "counted.yaml"), "--out", str(files / "mine"))
    assert "mine.training is being written by process " in error
    assert main(["train", str(files / "counted.yaml"), "--out", str(files / "mine")]) == 0
    assert (files / "mine").is_dir()
    assert not (files / "mine.training").exists()


def test_a_checkpoint_cut_or_damaged_anywhere_is_refused_in_one_line(tmp_path: Path) -> None:
    trainer = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    trainer.compile(optimizer="adam")
    trainer.optimizer.build(trainer.trainable_variables)
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, trainer, {"epoch": 1})
    content, chance = path.read_bytes(), random.Random(5)
    for place in [0, 1, 2, len(content) - 1, *chance.sample(range(len(content)), 40)]:
        path.write_bytes(content[:place])
        with pytest.raises(ZooError, match="checkpoint.npz is damaged|lacks"):
            load_checkpoint(path, trainer)
    for place in chance.sample(range(len(content)), 60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
        try:
            load_checkpoint(path, trainer)
        except ZooError as error:
            assert str(path) in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("value", [".nan", ".inf", "nan", "-.inf"])
def test_numbers_of_a_config_are_finite(value: str, files: Path) -> None:
    with pytest.raises(ZooError, match="learning_rate is .*finite number"):
        read_run_config(files / "tiny.yaml", [f"training.optimizer.learning_rate={value}"])


def test_nan_null_and_inf_are_words(tmp_path: Path) -> None:
    texts = ["nan null inf", "NaN None -inf", "nan 1e999 NA"]
    model = NGramLanguageModel.train(texts, 2, "add_k", "whitespace")
    model.save_arpa(tmp_path / "lm.arpa")
    again = NGramLanguageModel.from_arpa(tmp_path / "lm.arpa")
    assert [score.oov for score in again.score(texts)] == [0, 0, 0]
    scores = [[score.log_prob for score in each.score(texts)] for each in (model, again)]
    np.testing.assert_allclose(*scores, atol=1e-5)
