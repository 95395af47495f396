"""A run that is killed or told to stop, in the middle of an epoch, ends as one left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import zoo
from tests.helpers.corpus import english
from training.config import read_run_config
from training.run.fit import train_epochs
from training.run.guards import Stopped
from training.run.loop import Run

# Running text, so that the carried state must survive too; dropout, so that its seeds must.
CONFIG = """
name: toy
data: {{name: {data}, vocabulary_size: null}}
model:
  {{class: RecurrentLanguageModel, cell: rnn, units: 8, embedding_dim: 8, num_layers: 1,
    dropout: 0.2, cell_options: {{jit_compile: false}}}}
training:
  epochs: 2
  batch_size: 4
  time_steps: 8
  stream: true
  loss_every: 7
  gradient_flow_every: 0
  optimizer: {{learning_rate: 0.02, clip_norm: 1.0}}
"""
# With the graph optimizer's setting of these tests: bits are compared.
TRAIN = """
import sys
import tests.conftest
from zoo.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
KILLED_AT_STEP = 20  # of 38 an epoch


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    for name, text in (("train", english(150)), ("valid", english(30)), ("test", ["a"])):
        (folder / f"{name}.txt").write_text("\n".join(text), encoding="utf-8")
    path = folder / "toy.yaml"
    path.write_text(CONFIG.format(data=folder), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(config_file: Path) -> list[np.ndarray]:
    """The weights of a run that was left alone."""
    out = config_file.parent / "whole"
    assert len(list(train_epochs(read_run_config(config_file), out=out))) == 2
    return weights_of(out)


def weights_of(folder: Path) -> list[np.ndarray]:
    return [weight.numpy() for weight in zoo.load(folder).weights]


def resumed(config_file: Path, out: Path) -> list[int]:
    """Go on to the end; the epochs that were left."""
    rows = train_epochs(read_run_config(config_file), out=out, resume=True)
    return [row["epoch"] for row in rows]


def assert_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def state_of(out: Path) -> dict:
    checkpoint = out.with_name(out.name + ".training") / "checkpoint.npz"
    with np.load(checkpoint) as content:
        return json.loads(bytes(content["progress"]).decode())


def test_a_run_killed_between_two_checkpoints_ends_in_the_same_weights(
    config_file: Path, whole: list[np.ndarray], tmp_path: Path
) -> None:
    """To the bit, by SIGKILL: the last checkpoint is of some step of an epoch."""
    out = tmp_path / "killed"
    arguments = ["train", str(config_file), "--out", str(out), "--json",
                 "--set", "training.checkpoint_minutes=0.0001"]  # fmt: skip
    run = subprocess.Popen([sys.executable, "-c", TRAIN, *arguments], stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed.training" / "checkpoint.npz"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    run.kill()
    run.wait()
    assert state_of(out)["steps"] > 0
    assert resumed(config_file, out)[-1] == 2
    assert_same(weights_of(out), whole)
    rows = (tmp_path / "killed.training" / "log.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]


def test_a_run_that_is_told_to_stop_saves_the_step_and_says_how_to_go_on(
    config_file: Path,
    whole: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, step = tmp_path / "stopped", Run.step

    def told(run: Run, *arguments: object) -> None:
        step(run, *arguments)
        if run.state.steps == KILLED_AT_STEP:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", told)
        with pytest.raises(Stopped) as stopped:
            list(train_epochs(read_run_config(config_file), out=out))
    assert stopped.value.code == 143
    assert f"stopped after step {KILLED_AT_STEP}: {out}" in stopped.value.line
    assert "--resume" in stopped.value.line
    assert (state_of(out)["epoch"], state_of(out)["epoch_steps"]) == (0, KILLED_AT_STEP)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert resumed(config_file, out) == [1, 2]
    assert_same(weights_of(out), whole)
