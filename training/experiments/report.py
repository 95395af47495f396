"""`zoo gradients` of an experiment's config: its rows and its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.diagnostics.plots import norms_over_distance
from training.experiments import plots
from training.experiments.config import ExperimentConfig
from training.experiments.error_surface import descend
from training.experiments.memory import run_adding, run_story

Rows = Iterator[dict[str, Any]]


def run_experiment(config: ExperimentConfig, folder: Path) -> Rows:
    """The rows of an experiment and its picture."""
    if config.experiment in ("story", "countries"):
        rows = []
        for row in run_story(config):
            rows.append(row)
            yield row
        yield {"pictures": [str(path) for path in story_pictures(config, rows, folder)]}
    elif config.experiment == "adding":
        yield from run_adding(config)
    else:
        yield from surface_rows(config, folder)


def story_pictures(
    config: ExperimentConfig, rows: list[dict[str, Any]], folder: Path
) -> list[Path]:
    """Recall and state norms of the stories; probability of the articles' word."""
    what = "recall" if config.experiment == "story" else "probability"
    curves = {row["network"]: row[what] for row in rows}
    named = folder / f"{config.experiment}_{what}.png"
    pictures = [plots.over_distance(curves, rows[0]["chance"], what, named)]
    if config.experiment == "story":
        norms = {row["network"]: row["norms"] for row in rows}
        pictures.append(norms_over_distance(norms, {}, folder / "story_norms.png"))
    return pictures


def surface_rows(config: ExperimentConfig, folder: Path) -> Rows:
    """Both descents of figure 5 as a row each, and the picture."""
    start = (config.start[0], config.start[1])
    plain = descend(start, config.learning_rate, config.steps)
    clipped = descend(start, config.learning_rate, config.steps, config.clip_norm)
    for name, path in (("plain", plain), ("Algorithm 1", clipped)):
        yield {
            "descent": name,
            "largest_gradient": float(f"{path.norms.max():.4g}"),
            "longest_step": float(f"{path.longest_step:.4g}"),
            "clipped_steps": path.clipped,
            "error_at_start": float(f"{path.errors[0]:.4g}"),
            "error_at_end": float(f"{path.errors[-1]:.4g}"),
        }
    picture = plots.error_surface(plain, clipped, folder / "error_surface.png")
    yield {"pictures": [str(picture)]}
