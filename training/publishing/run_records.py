"""What is kept of a run whose weights are not shipped: figures, curve, time and machine.

training/records/NAME.json holds what was measured, training/logs/NAME.csv the curve.
"""

from __future__ import annotations

import csv
import json
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from zoo.io import write_atomically
from zoo.processors import usable_cores

LOGS = Path(__file__).parents[1] / "logs"
RECORDS = Path(__file__).parents[1] / "records"


def record(name: str, run: Path, data_dir: str | None, others: Sequence[Path] = ()) -> Path:
    """Measure a kept run on its corpus's test split and write training/records/NAME.json.

    Args:
        others: runs of the same config with other seeds. The figures are then means, and those of
            each run are kept beside them.
    """
    import zoo
    from training.config import CONFIGS, read_run_config
    from training.datasets import load
    from training.tasks.evaluate import evaluate

    config = read_run_config(CONFIGS / f"{name}.yaml")
    model = zoo.load(run)
    corpus = load(config.data.name, data_dir, model.reads)
    rows = [list(evaluate(zoo.load(path), corpus, "test")) for path in (run, *others)]
    keep_curve(name, run)
    content = {
        "description": config.description,
        "data": config.data.name,
        "parameters": model.parameter_count(),
        **figures_of(rows),
        "signature": rows[0][0]["signature"],
        "seconds": training_seconds(name),
        "machine": machine(),
    }
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{name}.json"
    write_atomically(path, json.dumps(content, indent=1) + "\n")
    return path


def figures_of(runs: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """`metrics` of the evaluations' rows; of several runs, means, and `seeds` with all values."""
    from training.tasks.evaluate import recorded

    found = [recorded(rows) for rows in runs]
    if len(found) == 1:
        return {"metrics": found[0]}
    seeds = {key: [metrics[key] for metrics in found] for key in found[0]}
    counts = {key for key, value in found[0].items() if isinstance(value, int)}
    return {
        "metrics": {
            key: values[0] if key in counts or None in values else round(fmean(values), 4)
            for key, values in seeds.items()
        },
        "seeds": {key: values for key, values in seeds.items() if key not in counts},
    }


def read_records() -> dict[str, dict[str, Any]]:
    """Every kept record by its run's name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(RECORDS.glob("*.json"))
    }


def keep_curve(name: str, run: Path) -> None:
    """The run's log of epochs, beside the configs."""
    curve = run.with_name(run.name + ".training") / "log.csv"
    if curve.is_file():
        LOGS.mkdir(exist_ok=True)
        shutil.copyfile(curve, LOGS / f"{name}.csv")


def training_seconds(name: str) -> int | None:
    """Seconds spent in a run's training steps; None for a run without a curve."""
    curve = LOGS / f"{name}.csv"
    if not curve.is_file():
        return None
    with curve.open(encoding="utf-8", newline="") as file:
        return round(sum(float(row["seconds"]) for row in csv.DictReader(file)))


def machine() -> str:
    """The processor's name and how many cores a process may use."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{usable_cores()} cores of {models[0] if models else platform.processor()}"
