"""docs/architecture.md: the functions of its flows and the paths of its tables are there."""

from __future__ import annotations

import re

import pytest

from tests.helpers.named import ROOT, defined

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^\| \d+ \| `([\w/]+\.py)` `([\w.]+)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("path", "name"), STEPS, ids=lambda value: value)
def test_a_step_of_a_flow_is_there(path, name):
    assert name in defined(path)


def test_the_three_flows_are_whole():
    assert [STEPS.index(step) for step in STEPS] == list(range(len(STEPS)))
    assert len(STEPS) == 32


def test_every_path_of_the_page_is_there():
    for path in re.findall(r"`((?:zoo|training|export|serving|tests|benchmarks)/[\w/.]*)`", PAGE):
        assert (ROOT / path).exists(), path
