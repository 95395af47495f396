"""Stories, sums and the error surface: right by construction, learnable, pictured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.experiments.adding import adding_batch
from training.experiments.config import ExperimentConfig, Network, read_experiment
from training.experiments.error_surface import descend, error, error_gradient
from training.experiments.memory import run_adding, run_story
from training.experiments.stories import JANE_AND_JOHN, TWO_COUNTRIES, StoryTeller, Tale
from zoo.cli.main import main
from zoo.errors import ZooError

IDENTITY = {"activation": "relu", "recurrent_initializer": "identity"}


@pytest.mark.parametrize("between", [0, 1, 7, 30])
@pytest.mark.parametrize("tale", [JANE_AND_JOHN, TWO_COUNTRIES], ids=["names", "countries"])
def test_a_story_has_the_distance_that_it_says(tale: Tale, between: int) -> None:
    teller = StoryTeller(5, tale)
    text, name = teller.text(between, np.random.default_rng(between))
    words = text.split()
    place = len(words) - 1 - words[::-1].index(name)
    assert len(words) - 1 - place == between + teller.distance_zero
    assert words.count(name) == 1
    ((first, count),) = {n: words.count(n) for n in set(words) & set(teller.names) - {name}}.items()
    assert (first, count) != (name, 1)  # the other one is named twice, before and after
    assert words.index(first) < place < len(words) - 1 - words[::-1].index(first)


def test_the_shortest_distances_are_those_of_the_published_figures() -> None:
    assert StoryTeller().distance_zero == 8
    assert StoryTeller(tale=TWO_COUNTRIES).distance_zero == 11


def test_stories_are_padded_in_front_and_known_words_only() -> None:
    teller = StoryTeller(4)
    stories = teller.stories(50, (0, 6), teller.length(6), np.random.default_rng(0))
    assert stories.ids.shape == (50, teller.length(6))
    assert (stories.ids[:, -1] == teller.index["to"]).all()
    assert (stories.ids[:, 0] == 0).any()
    assert set(stories.answers) == {0, 1, 2, 3}
    assert teller.chance == pytest.approx(1 / 3)


def test_adding_batch_sums_the_marked() -> None:
    pairs, sums = adding_batch(200, 20, np.random.default_rng(0))
    numbers, marks = pairs[..., 0], pairs[..., 1]
    assert (marks[:, :10].sum(axis=1) == 1).all()
    assert (marks[:, 10:].sum(axis=1) == 1).all()
    np.testing.assert_allclose((numbers * marks).sum(axis=1), sums[:, 0], rtol=1e-6)
    assert np.mean((sums - 1) ** 2) == pytest.approx(1 / 6, rel=0.3)


def test_surface_gradient_is_the_finite_difference() -> None:
    for w, b in [(0.5, 0.1), (5.0, -2.3), (-3.0, 1.0), (4.2, -2.0)]:
        d_w, d_b = error_gradient(w, b)
        step = 1e-6
        numeric_w = (error(np.array(w + step), b) - error(np.array(w - step), b)) / (2 * step)
        numeric_b = (error(w, np.array(b + step)) - error(w, np.array(b - step))) / (2 * step)
        assert d_w == pytest.approx(float(numeric_w), rel=1e-3, abs=1e-6)
        assert d_b == pytest.approx(float(numeric_b), rel=1e-3, abs=1e-6)


def test_the_wall_throws_the_unclipped_and_not_the_clipped() -> None:
    """Figure 5: the numbers that docs/gradients.md shows as a picture."""
    config = read_experiment("error_surface")
    assert config is not None
    start = (config.start[0], config.start[1])
    plain = descend(start, config.learning_rate, config.steps)
    clipped = descend(start, config.learning_rate, config.steps, config.clip_norm)
    assert plain.norms.max() > 10
    assert plain.longest_step > 5  # off to another part of the surface,
    assert plain.errors[-1] > plain.errors[0]  # from where it does not come back
    assert clipped.longest_step <= config.learning_rate * config.clip_norm + 1e-12
    assert clipped.clipped >= 1
    assert clipped.errors[-1] < 0.05 * clipped.errors[0]
    assert (plain.points[: int(plain.norms.argmax())] == clipped.points[
        : int(plain.norms.argmax())
    ]).all()  # fmt: skip


def test_story_is_learnt_by_a_cell_that_remembers() -> None:
    config = ExperimentConfig(
        experiment="story", units=24, steps=500, names=3, distances=(0, 4), learning_rate=0.01,
        networks={"gru": Network(cell="gru"), "both": Network(cell="bidirectional gru", steps=10)},
    )  # fmt: skip
    rows = {row["network"]: row for row in run_story(config)}
    assert rows["gru"]["recall"]["8"] > 0.95
    assert rows["gru"]["recall"]["12"] > 0.95
    assert rows["both"]["steps"] == 10
    assert set(rows["both"]["recall"]) == {"8", "12"}


def test_a_window_knows_a_country_that_stands_in_it_and_no_other() -> None:
    config = ExperimentConfig(
        experiment="countries", units=16, steps=250, names=3, distances=(0, 12), learning_rate=0.01,
        networks={
            "counts": Network(cell="counts", options={"order": 3, "stories": 500}),
            "long": Network(cell="nplm", options={"window": 14}),
        },
    )  # fmt: skip
    rows = {row["network"]: row for row in run_story(config)}
    counted = rows["counts"]["probability"]  # the best that can be said is one of the other two
    assert list(counted.values()) == pytest.approx([0.5, 0.5], abs=0.12)
    assert rows["long"]["probability"]["11"] > 0.8
    assert rows["long"]["probability"]["23"] < 0.65
    assert rows["long"]["chance"] == 0.5


def test_adding_is_learnt_over_a_short_way() -> None:
    config = ExperimentConfig(
        experiment="adding", units=32, steps=1500, length=10, learning_rate=0.005,
        networks={"irnn": Network(cell="rnn", options=IDENTITY)},
    )  # fmt: skip
    (row,) = run_adding(config)
    assert row["mean_squared_error"] < 0.01 < row["always_one"]


@pytest.mark.parametrize("name", ["story", "countries", "adding", "error_surface"])
def test_the_experiments_that_come_along_are_read(name: str) -> None:
    config = read_experiment(f"training/configs/{name}.yaml")
    assert config is not None
    assert config.experiment == name
    assert config.model_copy(update={"seed": 2}).seed == 2


def test_other_files_are_no_experiments(tmp_path: Path) -> None:
    assert read_experiment("lstm_tatoeba_en") is None
    assert read_experiment(tmp_path / "missing.yaml") is None
    bad = tmp_path / "bad.yaml"
    for text, reason in [
        (
            "experiment: baking",
            "experiment='baking': use story, countries, adding or error_surface",
        ),
        ("experiment: story\noven: 3", "unknown key 'oven'"),
        ("experiment: story\nnetworks: {a: {sell: rnn}}", "networks.a: unknown key 'sell'"),
        ("experiment: [", "not a readable YAML"),
    ]:
        bad.write_text(text, encoding="utf-8")
        with pytest.raises(ZooError, match=reason):
            read_experiment(bad)


def rows_of(capsys: Any, *words: str) -> list[dict[str, Any]]:
    assert main(["gradients", *words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_report_of_a_config(tmp_path: Path, capsys: Any) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text("the cat is small\n" * 5, encoding="utf-8")
    config = tmp_path / "tiny.yaml"
    config.write_text(
        f"name: tiny\ndata: {{name: {tmp_path}}}\n"
        "model: {class: RecurrentLanguageModel, cell: rnn, units: 8, embedding_dim: 8, "
        "num_layers: 2, cell_options: {activation: sigmoid}}\n",
        encoding="utf-8",
    )
    *layers, pictures = rows_of(capsys, str(config), "--out", str(tmp_path / "out"))
    assert [row["layer"] for row in layers] == ["recurrent_0", "recurrent_1"]
    for row in layers:
        assert "gradients vanish" in row["verdict"]
        assert row["bound_base"] == pytest.approx(row["largest_singular_value"] / 4, rel=1e-3)
        bounded = zip(row["norms"], row["bounds"], strict=True)
        assert all(norm <= bound * 1.0001 for norm, bound in bounded)
    for path in pictures["pictures"]:
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert len(pictures["pictures"]) == 5  # two heat maps and three curves
    assert main(["gradients", str(config), "--out", str(tmp_path / "out")]) == 0
    assert "norm of ds_t/ds_k" in capsys.readouterr().out


def test_report_of_the_error_surface(tmp_path: Path, capsys: Any) -> None:
    plain, clipped, pictures = rows_of(capsys, "error_surface", "--out", str(tmp_path))
    assert plain["longest_step"] > 10 * clipped["longest_step"]
    assert Path(pictures["pictures"][0]).is_file()


def test_a_model_without_recurrence_is_refused(capsys: Any) -> None:
    assert main(["gradients", "kn5_tatoeba_en"]) == 2
    assert "has no recurrence" in capsys.readouterr().err
    assert main(["gradients", "no_such_thing"]) == 2
    assert "no config file" in capsys.readouterr().err
