"""docs/security.md: each of its claims names tests, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
FLAG = re.compile(r"`--(\w+)")


def claims():
    """The rows of the page's tables, without their heads."""
    tables = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
    return [row for table in tables for row in table.splitlines()[2:]]


def test_every_claim_names_a_test():
    assert len(claims()) > 15
    assert [row for row in claims() if not TEST.search(row.rsplit("|", 2)[1])] == []


def names_in(path):
    """The names of a file's tests, none for a file that is not there."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in functions if name.startswith("test_")}


def test_the_tests_exist():
    named = TEST.findall(PAGE)
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (name in names_in(path) if name else names_in(path))
    ]
    assert missing == []


def test_the_flags_exist():
    from serving.options import FLAGS

    named = set(FLAG.findall(PAGE))
    assert named
    assert named - set(FLAGS) == set()
