"""From a finished run to a shipped preset: float16 weights, measured figures, a card.

    zoo publish NAME --run runs/NAME --data-dir DIR

Every figure is measured here on the float16 weights that are shipped, never typed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import zoo
from training.config import RunConfig, read_run_config
from training.datasets import load
from training.publishing.cards import card_text
from training.publishing.run_records import keep_curve
from training.tasks.evaluate import evaluate, recorded
from zoo.models.registry import model_class
from zoo.presets import store


def publish(
    name: str, run: Path, data_dir: str | None, target: str | Path | None = None
) -> tuple[Path, dict[str, float]]:
    """Write a preset from a run's preset directory; its path, and its figures on the test text.

    Args:
        name: a config, by name or path; the preset has its `name`.
        run: the preset directory that `zoo train` wrote.
        data_dir: the corpora's folder.
        target: where to write. Unless it is given the preset goes into the package, and the run's
            curve to training/logs.
    """
    config = read_run_config(name)
    corpus = load(config.data.name, data_dir, model_class(config.model.class_name).reads)
    with tempfile.TemporaryDirectory() as folder:
        trained = zoo.load(run)
        narrow = trained.save_to_preset(Path(folder) / config.name, dtype="float16")
        model = zoo.load(narrow)
        rows = list(evaluate(model, corpus, "test"))
    # What the run began from, not the run itself.
    info = {**preset_info(config, corpus, rows), "made_from": trained.origin.info.made_from}
    text = card_text(config.name, config, corpus, model, rows)
    path = model.save_to_preset(
        target or store.SHIPPED / config.name, info=info, card=text, dtype="float16"
    )
    if target is None:
        keep_curve(config.name, run)
    return Path(path), info["metrics"]


def preset_info(config: RunConfig, corpus: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What `zoo list` shows, with the test figures."""
    return {
        "description": config.description,
        "data": config.data.name,
        "licence": corpus.licence,
        "metrics": recorded(rows),
        "train_command": f"zoo train {config.name}",
    }
