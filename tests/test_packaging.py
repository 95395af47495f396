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
PARTS = ("zoo", "training", "export", "serving", "setup.cfg", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that no build/ folder is left in the checkout."""
    source = tmp_path_factory.mktemp("a source tree")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    flags = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *flags, "--wheel-dir", "dist", "."]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=240)
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_the_wheel_carries_every_data_file(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("zoo/presets", "training/configs", "serving/config", "serving/deploy"):
        files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        assert files
        assert {p.relative_to(ROOT).as_posix() for p in files} - packed == set()
    assert "zoo/py.typed" in packed
    assert not [name for name in packed if name.startswith(("tests/", "benchmarks/", "docs/"))]


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
