"""What `zoo train`, `zoo evaluate` and `zoo gradients` do: one row of results at a time."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo
from training.config import read_run_config
from zoo.errors import ZooError
from zoo.models.language_model import LanguageModel

if TYPE_CHECKING:
    from training.run.dynamic import Dynamics

Rows = Iterator[dict[str, Any]]


# Writes a preset directory's export of a format to a path; gives its row of results.
Export = Callable[[Path, str, Path], Rows]
SUFFIXES = {"saved_model": ".saved_model", "tflite": ".tflite"}


def train(options: argparse.Namespace, export: Export) -> Rows:
    """One row an epoch, as it ends; then one an export."""
    from training.run.fit import train_epochs
    from training.run.guards import Stopped

    changes = list(options.changes)
    if options.export is not None:
        changes.append(f"export=[{options.export}]")
    if options.start is not None:
        changes.append(f"from={options.start}")
    config = read_run_config(options.config, changes)
    out = Path(options.out or Path("runs") / config.name)
    try:
        yield from train_epochs(config, data_dir=options.data_dir, out=out, resume=options.resume)
    except Stopped as stop:
        print(f"zoo train: {stop.line}", file=sys.stderr)
        raise
    print(where_it_lies(out), file=sys.stderr)
    for kind in config.export:
        yield from export(out, kind, out.with_name(out.name + SUFFIXES[kind]))


def where_it_lies(out: Path) -> str:
    """Where a run has left its model, and its log and curves if it has any, in a line each."""
    from training.run.loop import directory_of

    log, curves = directory_of(out) / "log.csv", directory_of(out) / "tensorboard"
    lines = [f"model: {out}"]
    lines += [f"log: {log}"] if log.is_file() else []
    lines += [f"curves: tensorboard --logdir {curves}"] if curves.is_dir() else []
    return "\n".join(lines)


def publish(options: argparse.Namespace) -> Rows:
    """One row: the preset that was written, and its figures on the test text."""
    from training.publishing.publish import publish as published

    path, metrics = published(options.config, Path(options.run), options.data_dir, options.out)
    yield {"path": str(path), **metrics}


def evaluate(options: argparse.Namespace) -> Rows:
    """One row a metric."""
    from training.datasets import load
    from training.tasks import minimal_pairs
    from training.tasks.challenge import CHALLENGES, evaluate_challenge
    from training.tasks.evaluate import evaluate as evaluate_model

    dynamics = None if options.dynamic is None else dynamics_of(options.dynamic)
    model = zoo.load(options.model)
    if options.cache is not None:
        model = with_cache(model, options.cache)
    if options.data in CHALLENGES:
        yield from evaluate_challenge(model, options.data)
        return
    if options.data == minimal_pairs.NAME:
        yield from minimal_pairs.evaluate_minimal_pairs(model)
        return
    corpus = load(options.data, options.data_dir, model.reads)
    if options.dynamic is not None:
        from training.run.dynamic import dynamic_rows

        yield from dynamic_rows(model, corpus, options.split, dynamics)
        return
    yield from evaluate_model(model, corpus, options.split, options.detailed)


def dynamics_of(settings: str) -> Dynamics | None:
    """What `--dynamic RATE,DECAY[,SEGMENT]` says; None for `tune`."""
    from training.run.dynamic import Dynamics

    if settings == "tune":
        return None
    try:
        rate, decay, *segment = settings.split(",")
        dynamics = Dynamics(float(rate), float(decay), *map(int, segment))
    except (ValueError, TypeError):
        dynamics = Dynamics(-1.0, 0.0)
    if not (0 <= dynamics.rate < math.inf and 0 <= dynamics.decay <= 1 and dynamics.segment > 0):
        shown = f"--dynamic {settings!r}"
        raise ZooError(f"{shown}: write RATE,DECAY[,SEGMENT], as in 2e-3,0.02,5, or tune")
    return dynamics


def with_cache(model: LanguageModel, settings: str) -> LanguageModel:
    """The model with the cache of `--cache WINDOW,THETA,LAMBDA`."""
    from zoo.models import CachedLanguageModel

    try:
        window, theta, weight = settings.split(",")
        numbers = int(window), float(theta), float(weight)
    except ValueError:
        raise ZooError(
            f"--cache {settings!r}: write WINDOW,THETA,LAMBDA, as in 2000,1.0,0.2"
        ) from None
    return CachedLanguageModel(model, *numbers)


def gradients(options: argparse.Namespace) -> Rows:
    """The gradient-flow report of a config's or a preset's model, or an experiment's results."""
    from training.diagnostics.report import is_preset, report
    from training.experiments.config import read_experiment
    from training.experiments.report import run_experiment

    named = options.model
    folder = Path(options.out or Path("runs") / f"{Path(named).stem}.gradients")
    experiment = None if is_preset(named) else read_experiment(named)
    if experiment is not None:
        yield from run_experiment(experiment, folder)
    else:
        yield from report(named, options.data_dir, folder)
