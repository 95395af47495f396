"""The drawings of the notes' figures: whole, readable, and what their scripts write."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks.architectures import DOCS
from benchmarks.figures.__main__ import FIGURES, GATED, gate_picture, picture
from benchmarks.figures.svg import spans

SVG = "{http://www.w3.org/2000/svg}"
# What each must show, by the notes' own symbols (subscripts and superscripts stand in the line).
SHOWN = {
    1: {"wt−n+1", "wt", "C(t)", "tanh(W(1) x + b(1))", "W(2)", "W(3)"},
    2: {"xt−1", "xt", "xt+1", "ht−1", "ht", "ht+1", "ŷt−1", "ŷt", "ŷt+1", "W(hh)", "W(hx)", "W(S)"},
    3: {"ht−1,1", "xt,1", "Σ", "σ", "ht,j", "ŷt, by W(S)"},
    4: {"xt", "ht", "ŷt", "W(hh), one step later"},
    6: {"xt", "→ht", "←ht", "ŷt", "→ht−1", "←ht+1"},
    7: {"xt", "→ht(1)", "←ht(1)", "→ht(3)", "←ht(3)", "ŷt"},
    8: {"Echt", "dicke", "Kiste", "h3", "Awesome", "sauce", "y2", "W(hh)"},
    9: {"c = hT", "φ(ht−1, c, yt−1)", "ŷ1", "h1"},
    10: {"zt = σ", "rt = σ", "h̃t = tanh", "1−", "+", "ht", "U", "W"},
    11: {"it = σ", "ft = σ", "ot = σ", "c̃t = tanh", "ct−1", "ct", "ht", "tanh"},
}


def labels(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("number", FIGURES)
def test_a_figure_is_what_its_script_writes(number):
    written = picture(number).read_text(encoding="utf-8")
    assert written == FIGURES[number]().svg()
    assert SHOWN[number] <= set(labels(written))


def test_every_figure_of_the_notes_is_drawn():
    """5 is the error surface, which training/experiments computes."""
    assert sorted([*FIGURES, 5]) == list(range(1, 12))
    assert (DOCS / "images" / "error_surface.png").is_file()
    assert {path.name for path in (DOCS / "figures").iterdir()} == {
        picture(number).name for number in FIGURES
    }


@pytest.mark.parametrize("number", FIGURES)
def test_nothing_is_drawn_outside_the_picture(number):
    root = ElementTree.fromstring(FIGURES[number]().svg())
    width, height = float(root.get("width")), float(root.get("height"))
    for rect in root.iter(f"{SVG}rect"):
        x, y = (float(rect.get(key, 0)) for key in ("x", "y"))
        assert 0 <= x <= x + float(rect.get("width")) <= width
        assert 0 <= y <= y + float(rect.get("height")) <= height
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.get("x")) < width
        assert 0 < float(text.get("y")) < height


def test_each_gated_cell_has_a_heat_map():
    for cell in GATED:
        assert gate_picture(cell).read_bytes().startswith(b"\x89PNG")


def test_scripts_come_back_to_the_line():
    raised = list(spans("a^{(1)}_t b", 10))
    assert raised == [
        "a",
        '<tspan dy="-4" font-size="7">(1)</tspan>',
        '<tspan dy="7" font-size="7">t</tspan>',
        '<tspan dy="-3"> b</tspan>',
    ]
