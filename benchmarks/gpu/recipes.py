"""The flagship recipes with every key, as JSON: what reads YAML is not needed on the machine.

    python -m benchmarks.gpu.recipes

writes recipes.json from training/configs again; a test holds the two together.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FILE = Path(__file__).with_name("recipes.json")
NAMES = ("flagship_ptb", "awd_lstm_ptb", "awd_lstm_wikitext2")  # in the order of a job
# No look at gradients, which would wait, and a checkpoint that is at most a minute old.
ON_A_GPU = {"training": {"gradient_flow_every": 0, "loss_every": 50, "checkpoint_minutes": 1.0}}
TINY = {
    "model": {"units": 6, "num_layers": 2, "embedding_dim": 6, "tied": True},
    "training": {
        "epochs": 2,
        "stop_after": 9,
        "batch_size": 4,
        "time_steps": 5,
        "random_time_steps": False,
        "stream": True,
        "softmax": "exact",
        "warmup_steps": 3,
        "loss_every": 4,
        "checkpoint_minutes": 0.001,
    },
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with the changed keys, section by section."""
    both = dict(base)
    for key, value in changes.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, dict) else value
    return both


def run_config(name: str, changes: dict[str, Any]) -> Any:
    """A recipe with changes; its attributes are those of `training.config.RunConfig`."""
    recipe = json.loads(FILE.read_text(encoding="utf-8"))[name]
    return with_attributes(merged(merged(recipe, ON_A_GPU), changes))


def with_attributes(mapping: dict[str, Any]) -> SimpleNamespace:
    made: dict[str, Any] = {}
    for key, value in mapping.items():
        if key == "model":
            options = {k: v for k, v in value.items() if k != "class"}
            made[key] = SimpleNamespace(class_name=value["class"], options=options)
        elif isinstance(value, dict) and key != "options":
            made[key] = with_attributes(value)
        else:
            made[{"from": "start"}.get(key, key)] = value
    return SimpleNamespace(**made)


def of_the_configs() -> dict[str, dict[str, Any]]:
    """The recipes as training/configs has them today."""
    from training.config import read_run_config

    return {name: read_run_config(name).model_dump(by_alias=True, mode="json") for name in NAMES}


if __name__ == "__main__":
    FILE.write_text(json.dumps(of_the_configs(), indent=1) + "\n", encoding="utf-8")
