"""docs/security.md and docs/serving-differences.md: each of their rows names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {
    name: (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("security.md", "serving-differences.md")
}
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
FLAG = re.compile(r"`--(\w+)")


def claims(page):
    """The rows of a page's tables, without their heads."""
    tables = re.findall(r"(?:^\|.*\n)+", PAGES[page], re.MULTILINE)
    return [row for table in tables for row in table.splitlines()[2:]]


@pytest.mark.parametrize("page", PAGES)
def test_every_claim_names_a_test(page):
    assert len(claims(page)) > 15
    assert [row for row in claims(page) if not TEST.search(row.rsplit("|", 2)[1])] == []


def names_in(path):
    """The names of a file's tests, none for a file that is not there."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in functions if name.startswith("test_")}


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_exist(page):
    named = TEST.findall(PAGES[page])
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (name in names_in(path) if name else names_in(path))
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_the_flags_exist(page):
    from serving.options import FLAGS

    named = set(FLAG.findall(PAGES[page])) - {"flag"}
    assert named
    assert named - set(FLAGS) == set()
