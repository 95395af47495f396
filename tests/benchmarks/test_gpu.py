"""The prepared job for a GPU, end to end at tiny sizes, with nothing but what its machine has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu.parcels import packed, unpacked
from benchmarks.gpu.recipes import FILE, NAMES, of_the_configs, run_config
from training.config import read_run_config

ROOT = Path(__file__).parents[2]
MISSING = ("tensorflow", "tensorflow_datasets", "tensorboard", "pydantic", "yaml", "platformdirs",
           "sacrebleu", "matplotlib", "polars", "grpc", "torch")  # fmt: skip
# Two calls, as on two machines: the first one's budget ends after a step of the recipe.
CALLS = f"""
import sys
sys.modules.update(dict.fromkeys({MISSING}))
from benchmarks.gpu.__main__ import main
first, second = sys.argv[1:]
assert main(["--tiny", "--budget", "0", "--out", first, "--parts", "recipes",
             "--recipes", "awd_lstm_ptb"]) == 0
assert main(["--tiny", "--budget", "900", "--out", second, "--earlier", first,
             "--recipes", "awd_lstm_ptb"]) == 0
"""


def rows_of(folder: Path, part: str) -> list[dict]:
    lines = (folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_job_runs_and_goes_on_in_a_second_call(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
             "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
             "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", CALLS, str(first), str(second)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", **cache},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stopped after step 1" in rows_of(first, "recipes")[-1]["stopped"]
    (layer,) = rows_of(second, "layers")
    (model,) = rows_of(second, "language_model")
    assert layer["x_keras"] > 0
    assert model["tokens_per_second"] > 0
    *_, one, two, end = rows_of(second, "recipes")
    # A program that held the first epoch's weights would find the same figure again.
    assert one["valid_perplexity"] > two["valid_perplexity"] > 1
    assert end["best"] == pytest.approx(two["valid_perplexity"], abs=1e-3)
    facts = json.loads((second / "awd_lstm_ptb.json").read_text(encoding="utf-8"))
    assert facts["finished"]
    files = [path for path in second.iterdir() if path.is_file()]
    assert len(files) <= 8
    assert all(path.stat().st_size < 16e6 for path in files)


def test_the_recipes_are_those_of_the_configs() -> None:
    """If this fails: python -m benchmarks.gpu.recipes."""
    assert json.loads(FILE.read_text(encoding="utf-8")) == of_the_configs()
    for name in NAMES:
        config, recipe = read_run_config(name), run_config(name, {})
        assert recipe.model.options == config.model.options
        assert recipe.training.optimizer.learning_rate == config.training.optimizer.learning_rate


def test_packed_floats_are_rounded_to_bfloat16() -> None:
    values = np.random.default_rng(1).normal(size=(50, 7)).astype("float32")
    found = unpacked(packed({"a": values, "b": np.arange(3)}))
    np.testing.assert_allclose(found["a"], values, rtol=2**-8)
    assert found["b"].tolist() == [0, 1, 2]
