"""docs/adding-a-cell.md, followed to the letter in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "adding-a-cell.md"
BLOCK = r":\n\n((?:(?:    .*)?\n)+)"  # indented by four, with empty lines inside
NEW_FILE = re.compile(r"new file, `([^`]+)`" + BLOCK)
INSERTION = re.compile(r"In\s`([^`]+)`, (above|below) `([^`]+)`" + BLOCK)
# The layer, the list of cases, and a language model; the other tests run on every cell alike.
CHECKS = [
    "tests/zoo/layers/test_cells.py::test_layer[light_gru]",
    "tests/zoo/layers/test_cells.py::test_every_cell_is_a_case",
    "tests/zoo/models/test_language_models.py::test_distributions_sum_to_one[light_gru]",
]


def only_python(folder, names):
    """What a copy of the tree leaves out."""
    return [n for n in names if not n.endswith(".py") and not (Path(folder) / n).is_dir()]


def unindented(block):
    return re.sub(r"^    ", "", block.strip("\n"), flags=re.MULTILINE) + "\n"


def follow(page, tree):
    """Writes the page's new file and its insertions into `tree`; their paths, in its order."""
    (path, block), *others = NEW_FILE.findall(page)
    assert not others
    assert not (tree / path).exists()
    (tree / path).write_text(unindented(block), encoding="utf-8")
    changed = [path]
    for path, side, line, block in INSERTION.findall(page):
        text = (tree / path).read_text(encoding="utf-8")
        assert text.count(f"\n{line}\n") == 1, (path, line)
        added = unindented(block)
        both = f"{line}\n{added}" if side == "below" else f"{added}\n\n{line}\n"
        text = text.replace(f"\n{line}\n", f"\n{both}")
        (tree / path).write_text(text, encoding="utf-8")
        changed.append(path)
    return changed


def test_the_page_adds_a_cell(tmp_path):
    for folder in ("zoo", "training", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=only_python)
    changed = follow(PAGE.read_text(encoding="utf-8"), tmp_path)
    assert len(changed) == 8
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHECKS],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
