"""Doing to the letter, in a copy of the tree, what docs/adding-a-*.md say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = r":\n\n((?:(?:    .*)?\n)+)"  # indented by four, with empty lines inside
NEW_FILE = re.compile(r"new file, `([^`]+)`" + BLOCK)
INSERTION = re.compile(r"In\s`([^`]+)`, (above|below) `([^`]+)`" + BLOCK)


def copy_of_the_tree(target: Path) -> None:
    """Python files alone: no presets."""
    for folder in ("zoo", "training", "export", "tests"):
        shutil.copytree(ROOT / folder, target / folder, ignore=_all_but_python)


def _all_but_python(folder: str, names: list[str]) -> list[str]:
    return [n for n in names if not n.endswith(".py") and not (Path(folder) / n).is_dir()]


def follow(page: Path, tree: Path) -> list[str]:
    """Write the page's new file and its insertions into `tree`; their paths, in its order."""
    text = page.read_text(encoding="utf-8")
    ((path, block),) = NEW_FILE.findall(text)
    assert not (tree / path).exists()
    (tree / path).write_text(_unindented(block), encoding="utf-8")
    insertions = INSERTION.findall(text)
    for file, side, line, block in insertions:
        _insert(tree / file, side, line, _unindented(block))
    return [path, *(insertion[0] for insertion in insertions)]


def _insert(file: Path, side: str, line: str, added: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(f"\n{line}\n") == 1, (file, line)
    both = f"{line}\n{added}" if side == "below" else f"{added}\n\n{line}\n"
    file.write_text(text.replace(f"\n{line}\n", f"\n{both}"), encoding="utf-8")


def _unindented(block: str) -> str:
    return re.sub(r"^    ", "", block.strip("\n"), flags=re.MULTILINE) + "\n"


def passed(tree: Path, checks: list[str]) -> int:
    """How many of the tests passed, in a process of their own; none may fail."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *checks],
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    return int(re.search(r"(\d+) passed", done.stdout)[1])
