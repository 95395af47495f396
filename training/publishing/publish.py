"""From a finished run to a shipped preset: float16 weights, measured figures, a card.

    python -m training.publish NAME --run runs/NAME --data-dir DIR

Every figure is measured here on the float16 weights that are shipped, never typed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import zoo
from training.config import CONFIGS, RunConfig, read_run_config
from training.datasets import load
from training.publishing.cards import card_text
from training.publishing.run_records import keep_curve
from training.tasks.evaluate import evaluate, recorded
from zoo.presets import store


def publish(name: str, run: Path, data_dir: str | None, target: Path | None = None) -> Path:
    """Write `zoo/presets/NAME` from a run's preset directory and return its path.

    Args:
        name: the config's name, which becomes the preset's.
        run: the preset directory that `zoo train` wrote; its curve is copied to training/logs.
        data_dir: the corpora's folder.
        target: where to write; the package's presets unless given.
    """
    config = read_run_config(CONFIGS / f"{name}.yaml")
    corpus = load(config.data.name, data_dir)
    with tempfile.TemporaryDirectory() as folder:
        narrow = zoo.load(run).save_to_preset(Path(folder) / name, dtype="float16")
        model = zoo.load(narrow)
        rows = list(evaluate(model, corpus, "test"))
    info = preset_info(config, corpus, rows)
    text = card_text(name, config, corpus, model, rows)
    path = model.save_to_preset(
        target or store.SHIPPED / name, info=info, card=text, dtype="float16"
    )
    keep_curve(name, run)
    return path


def preset_info(config: RunConfig, corpus: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What `zoo list` shows, with the test figures."""
    return {
        "description": config.description,
        "data": config.data.name,
        "licence": corpus.licence,
        "metrics": recorded(rows),
        "train_command": f"zoo train {config.name}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--run", required=True, type=Path)
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    print(publish(options.name, options.run, options.data_dir))
