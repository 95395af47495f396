"""What is kept of runs, and the tables made of it."""

from __future__ import annotations

import json

import pytest

from training.config import read_run_config
from training.publishing import ablation, run_records
from training.publishing.results import table, with_table
from zoo.errors import ZooError

CURVE = "epoch,loss,seconds\n1,3.0,60.4\n2,2.5,59.9\n"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Folders for curves and records, with one run's in them."""
    monkeypatch.setattr(run_records, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(run_records, "RECORDS", tmp_path / "records")
    (tmp_path / "run.training").mkdir()
    (tmp_path / "run.training" / "log.csv").write_text(CURVE, encoding="utf-8")
    (tmp_path / "records").mkdir()
    for name, bleu in (("multi30k_base", 10.0), ("multi30k_i", 12.5)):
        metrics = {"test_bleu_uncased": bleu, "test_chrf_uncased": 20.0, "test_perplexity": 30.0}
        content = {"parameters": 1000, "metrics": metrics}
        path = tmp_path / "records" / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_a_runs_curve_is_kept_and_its_seconds_counted(kept):
    assert run_records.training_seconds("multi30k_i") is None
    run_records.keep_curve("multi30k_i", kept / "run")
    assert (kept / "logs" / "multi30k_i.csv").read_text(encoding="utf-8") == CURVE
    assert run_records.training_seconds("multi30k_i") == 120


def test_the_ablation_lists_what_each_row_adds(kept):
    run_records.keep_curve("multi30k_i", kept / "run")
    first, second = ablation.rows()
    assert first[3:5] == ("10.0", "")
    assert second == (
        *("`multi30k_i`", "+ I, the decoder has weights of its own", "1,000"),
        *("12.5", "+2.5", "20.0", "30.0", "2 min"),
    )


def test_several_seeds_have_a_mean_and_a_spread():
    rows = [
        [{"metric": "bleu_uncased", "value": value, "tokens": 9, "oov": 0}] for value in (3.0, 5.0)
    ]
    figures = run_records.figures_of(rows)
    assert figures["metrics"] == {"test_bleu_uncased": 4.0, "test_tokens": 9, "test_oov": 0}
    assert ablation.figure(figures, "test_bleu_uncased") == "4.0 ± 1.4"
    assert ablation.figure(run_records.figures_of(rows[:1]), "test_bleu_uncased") == "3.0"


def test_each_step_changes_one_thing_but_the_first():
    for corpus, last in (("multi30k", "subword"), ("tatoeba", "attention")):
        names = [f"{corpus}_{step}" for step in ablation.STEPS]
        names = names[: names.index(f"{corpus}_{last}") + 1]
        configs = [read_run_config(name) for name in names]
        assert [config.name for config in configs] == names
        assert {config.data.name for config in configs} == {f"{corpus}_de_en"}


def test_the_machine_is_named_with_its_cores():
    assert "cores of" in run_records.machine()


def test_a_table_takes_its_place_between_its_marks():
    marks = ("<!-- a -->", "<!-- b -->")
    page = "before\n<!-- a -->\nold\n<!-- b -->\nafter"
    new = with_table(page, table(("x", "y"), [("1", "2")]), marks)
    assert new == "before\n<!-- a -->\n| x | y |\n| --- | --- |\n| 1 | 2 |\n<!-- b -->\nafter"
    with pytest.raises(ZooError, match="lacks the marks"):
        with_table("nothing", "", marks)
