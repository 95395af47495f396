"""docs/notes.md: every number of the notes is there, and what it names exists and is understood.

Below it, the notes' examples and claims that no other test holds.
"""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pytest

import zoo
from tests.helpers.models import bidirectional, recurrent
from tests.helpers.named import ROOT, defined
from training.config import CONFIGS
from zoo.cli.parser import build_parser
from zoo.layers import GRU, LSTM, cell_stages
from zoo.layers.activations import with_derivative
from zoo.metrics import perplexity

PAGE = (ROOT / "docs" / "notes.md").read_text(encoding="utf-8")


class Row(NamedTuple):
    """A line of a table of the page."""

    place: str
    says: str
    code: str
    test: str
    configs: str
    command: str


def rows(heading: str) -> list[Row]:
    """The lines of the table below a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


HEADINGS = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
EVERY = [row for heading in HEADINGS for row in rows(heading)]


def test_every_equation_figure_and_algorithm_of_the_notes_is_there():
    equations = [row.place for row in rows("Equations")]
    assert equations == [*(f"[{n}]" for n in range(1, 28)), "section 3", "section 4"]
    figures = [re.match(r"\[Figure (\d+)\]\(([\w/.]+)\)", r.place) for r in rows("Figures")]
    assert [int(found[1]) for found in figures] == list(range(1, 12))
    assert all((ROOT / "docs" / found[2]).is_file() for found in figures)
    methods = [row.place for row in rows("Algorithm and methods")]
    assert methods[0] == "Algorithm 1"
    assert [m for m in methods if m.startswith("Ext")] == [
        f"Extension {number}" for number in ("I", "II", "III", "IV", "V")
    ]
    assert {"1", "2", "2.1", "2.2", "2.3", "3", "4"} <= {row.place for row in rows("Claims")}
    assert len(rows("Examples")) >= 8


@pytest.mark.parametrize("row", EVERY, ids=lambda row: f"{row.place[:14]} {row.says[:20]}")
def test_what_a_line_names_exists(row):
    code = re.findall(r"`([\w/]+\.py)` `([\w.]+)`", row.code)
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.test)
    assert code
    assert tests
    for path, name in [*code, *tests]:
        assert name in defined(path), (path, name)
    names = re.findall(r"`(\w+)`", row.configs)
    assert names
    for name in names:
        assert name in zoo.list_presets() or (CONFIGS / f"{name}.yaml").is_file(), name


@pytest.mark.parametrize("command", sorted({row.command for row in EVERY}))
def test_a_command_is_understood(command):
    first, *words = shlex.split(command.strip("`"))
    if first == "python":
        assert words[0] == "-m"
        assert find_spec(words[1])
        return
    assert first == "zoo"
    options = build_parser().parse_args(words)
    named = getattr(options, "preset", None) or getattr(options, "model", None)
    named = named or getattr(options, "config", None)
    if named is not None:
        assert named in zoo.list_presets() or any(
            path.is_file() for path in (ROOT / named, CONFIGS / f"{named}.yaml")
        )


# Examples


@pytest.fixture(scope="module")
def counts():
    return zoo.load("kn5_tatoeba_en")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("the cat is small", "small the is cat"),
        ("walking home after school", "walking house after school"),
    ],
)
def test_the_better_sentence_of_section_1(counts, better, worse):
    assert counts.rank([worse, better])[0][0] == better


def test_the_alternatives_of_section_1(counts):
    ranked = [text for text, _ in counts.rank(["me had", "i has", "me have", "i had", "i have"])]
    assert set(ranked[:2]) == {"i have", "i had"}


# Claims


def test_perplexity_is_confusion():
    """1 where every word is certain, V where all V are alike; lower is more confident."""
    assert perplexity(0.0, 7) == 1
    assert perplexity(7 * np.log(50), 7) == pytest.approx(50)
    assert perplexity(7 * 2.0, 7) < perplexity(7 * 3.0, 7)


def test_the_derivative_of_relu_is_0_or_1():
    import keras

    slope = with_derivative(keras.activations.relu).derivative
    np.testing.assert_array_equal(slope(np.array([0.0, 0.3, 7.0], "float32")), [0, 1, 1])


def test_two_directions_have_twice_the_weights():
    both, one = bidirectional(cell="rnn", num_layers=1), recurrent(cell="rnn", num_layers=1)

    def size(layer):
        return sum(int(np.prod(w.shape)) for w in layer.trainable_weights)

    forward, backward = size(both.forward_layers[0]), size(both.backward_layers[0])
    assert forward == backward
    assert size(one.recurrent_layers[0]) == 7 * (6 + 7 + 1)
    assert forward + backward == 2 * 5 * (6 + 5 + 1)


X = np.random.default_rng(2).normal(size=(1, 4, 3)).astype("float32")


def stages_with(cell, biases):
    """A cell's stages with these biases on its gates, of 2 units each."""
    layer = cell(2)
    layer.build(X.shape)
    kernel, recurrent_kernel, bias = layer.get_weights()
    bias[...] = 0
    np.atleast_2d(bias)[0] += np.repeat(np.array(biases, "float32"), 2)
    layer.set_weights([kernel, recurrent_kernel, bias])
    start = [np.full((1, 2), 0.5, "float32")] * len(layer.state_names)
    return {name: np.asarray(s)[0] for name, s in cell_stages(layer, X, start).items()}


FAR = 40.0  # a bias from which σ is 0 or 1


def test_the_update_gate_copies_or_renews():
    np.testing.assert_allclose(stages_with(GRU, (FAR, 0, 0))["h"], 0.5, atol=1e-6)
    renewed = stages_with(GRU, (-FAR, 0, 0))
    np.testing.assert_allclose(renewed["h"], renewed["h_tilde"], atol=1e-6)


def test_the_reset_gate_forgets_the_past():
    """With r = 0 the new memory is that of the word alone, whatever the state."""
    layer = GRU(2)
    layer.build(X.shape)
    kernel, recurrent_kernel, bias = layer.get_weights()
    bias[0, 2:4] = -FAR
    layer.set_weights([kernel, recurrent_kernel, bias])
    starts = [[np.full((1, 2), value, "float32")] for value in (-0.9, 0.9)]
    one, other = (np.asarray(cell_stages(layer, X, s)["h_tilde"]) for s in starts)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_memory_is_kept_and_written_by_its_gates():
    kept = stages_with(LSTM, (-FAR, FAR, 0, 0))
    np.testing.assert_allclose(kept["c"], 0.5, atol=1e-6)
    written = stages_with(LSTM, (FAR, -FAR, 0, 0))
    np.testing.assert_allclose(written["c"], written["c_tilde"], atol=1e-6)


def test_what_is_not_exposed_stays_in_the_memory():
    hidden, shown = (stages_with(LSTM, (-FAR, FAR, 0, o)) for o in (-FAR, FAR))
    np.testing.assert_allclose(hidden["h"], 0, atol=1e-6)
    np.testing.assert_allclose(hidden["c"], 0.5, atol=1e-6)
    np.testing.assert_allclose(shown["h"], np.tanh(shown["c"]), atol=1e-6)
