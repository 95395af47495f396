"""The examples in docstrings are run, and what the README says of the tree is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(zoo.__path__, "zoo.")
    if not module.name.startswith("zoo.presets.") or "store" in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL | doctest.NORMALIZE_WHITESPACE
    outcome = doctest.testmod(module, optionflags=flags, extraglobs={"zoo": zoo})
    assert outcome.failed == 0


def test_zoo_never_imports_upward():
    """Only the command line reaches training, export and serving, and only when a verb runs."""
    upward = re.compile(r"^\s*(from|import) (training|export|serving)\b", re.MULTILINE)
    for path in (ROOT / "zoo").rglob("*.py"):
        assert not upward.search(path.read_text(encoding="utf-8")), path


def test_files_named_in_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
    for name in re.findall(r'zoo\.load\("(\w+)"\)', text):
        assert name in zoo.list_presets()


def test_the_readmes_table_is_the_presets_own_record():
    from training.publishing.results import presets_table, with_table

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_table(text, presets_table()) == text


def test_the_page_of_results_is_the_records_own():
    from training.publishing.results import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_ablation_is_the_records_own():
    from training.publishing.ablation import END, MARKS, PAGE, ablation_table
    from training.publishing.results import with_table

    text = PAGE.read_text(encoding="utf-8")
    for corpus, mark in MARKS.items():
        assert with_table(text, ablation_table(corpus), (mark, END)) == text
