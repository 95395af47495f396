"""The wheel: what a user gets who never clones the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = (
    "zoo",
    "training",
    "export",
    "serving",
    "setup.cfg",
    "setup.py",
    "pyproject.toml",
    "README.md",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that no build/ folder is left in the checkout."""
    return built(tmp_path_factory.mktemp("a source tree"))


def built(source: Path, weights: bool = True) -> Path:
    """A wheel from a copy of the tree, full or small."""
    source.mkdir(exist_ok=True)
    heavy = shutil.ignore_patterns(*(() if weights else ("*.h5", "*.npy")), "__pycache__")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=heavy)
        else:
            shutil.copy(ROOT / part, source / part)
    flags = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *flags, "--wheel-dir", "dist", "."]
    if not weights:  # what pip runs, without pip
        command = [sys.executable, "-W", "ignore", "setup.py", "--quiet", "bdist_wheel"]
    environment = {**os.environ, "ZOO_WHEEL": "full" if weights else "small"}
    done = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (source / "dist").glob("*.whl")
    return wheel


def test_the_wheel_carries_every_data_file(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    for folder in (
        "zoo/presets",
        "training/configs",
        "serving/config",
        "serving/deploy",
        "serving/rest/page",
    ):
        files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        assert files
        assert {p.relative_to(ROOT).as_posix() for p in files} - packed == set()
    assert {"zoo/py.typed", "serving/py.typed"} <= packed
    assert not [name for name in packed if name.startswith(("tests/", "benchmarks/", "docs/"))]


def test_the_small_wheel_has_the_code_alone(tmp_path: Path) -> None:
    small = built(tmp_path / "a source tree", weights=False)
    packed = set(zipfile.ZipFile(small).namelist())
    assert small.stat().st_size < 2_000_000
    assert small.name.split("-")[2] == "0code"
    presets = {name for name in packed if name.startswith("zoo/presets/") and name.count("/") > 2}
    assert "zoo/presets/lstm_tatoeba_en/config.json" in presets
    assert {name.rpartition("/")[2] for name in presets} == {"config.json", "card.md"}
    assert {"zoo/py.typed", "serving/rest/page/app.js"} <= packed
    assert any(name.startswith("training/configs/") for name in packed)


def test_the_installed_wheel_predicts(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    flags = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    install = [sys.executable, "-m", "pip", "install", *flags, "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    code = (
        "import zoo; print(zoo.__file__);"
        "print(len(zoo.load('lstm_tatoeba_en').next_words(['i would like'], k=3)[0]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment,
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    imported, words = done.stdout.split("\n")[:2]
    assert Path(imported).is_relative_to(site)
    assert words == "3"
