"""What a user's type checker says of our names: `lm.nextwords(...)` is found before it runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from zoo.models.registry import model_class
from zoo.presets import names, store

ROOT = Path(__file__).parents[2]
USER = Path(__file__).with_name("user_project.py")
# Installed packages are left out: those with types take longest to read, ours has what is checked.
FLAGS = ("--ignore-missing-imports", "--no-site-packages", "--cache-dir=/dev/null")


def test_mypy_says_what_is_wrong_and_nothing_else(tmp_path):
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nmypy_path = {ROOT}\nfollow_imports = silent\n")
    command = [sys.executable, "-m", "mypy", "--config-file=mypy.ini", *FLAGS, str(USER)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    found = dict(re.findall(r"user_project\.py:(\d+): error: (.*)", done.stdout))
    lines = enumerate(USER.read_text(encoding="utf-8").splitlines(), 1)
    wanted = {str(n): line.split("# E: ")[1] for n, line in lines if "# E: " in line and n > 4}
    assert found.keys() == wanted.keys(), done.stdout + done.stderr
    for number, message in wanted.items():
        assert message in found[number]


def test_the_names_are_those_of_the_shipped_presets():
    for name, path in store.shipped_presets().items():
        of_class = f"{store.read_config(path).class_name}Name"
        assert name in get_args(getattr(names, of_class)), f"{name}: add it to {of_class}"
    every = {n: get_args(v) for n, v in vars(names).items() if n.endswith("Name")}
    listed = [name for found in every.values() for name in found]
    assert sorted(listed) == sorted(store.shipped_presets())
    for class_name in every:
        assert model_class(class_name.removesuffix("Name"))
