"""Timing contestants in turns: medians of wall and processor time, spread, and the matrix peak."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Contestants = dict[str, Callable[[], Any]]


def in_turns(contestants: Contestants, rounds: int = 15, warm_up: int = 3) -> dict[str, dict]:
    """Run every contestant once a round, so that a busy machine slows all of them alike.

    Returns:
        For each name `wall_ms`, `wall_ms_low`, `wall_ms_high` (quartiles), `wall_ms_best`,
        `cpu_ms` (median processor time of all threads) and `cpu_ms_best`.
    """
    for run in contestants.values():
        for _ in range(warm_up):
            run()
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            wall[name].append((time.perf_counter() - started) * 1e3)
            cpu[name].append((time.process_time() - used) * 1e3)
    return {name: _summary(wall[name], cpu[name]) for name in contestants}


def _summary(wall: list[float], cpu: list[float]) -> dict[str, float]:
    low, _, high = statistics.quantiles(wall, n=4)
    return {
        "wall_ms": round(statistics.median(wall), 3),
        "wall_ms_low": round(low, 3),
        "wall_ms_high": round(high, 3),
        "wall_ms_best": round(min(wall), 3),
        "cpu_ms": round(statistics.median(cpu), 3),
        "cpu_ms_best": round(min(cpu), 3),
    }


def matrix_peak_gflops(rounds: int = 10) -> float:
    """The best rate of a large float32 product in NumPy on all cores, in GFLOP/s."""
    size = 1536
    a, b = np.ones((size, size), "float32"), np.ones((size, size), "float32")
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def report(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as JSON lines or as a table."""
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))


def plot_ratios(rows: list[dict[str, Any]], label: str, path: str) -> None:
    """Bars of the wall-time ratios `x_keras` and `x_pytorch` of each row."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.5 * len(rows) + 1))
    places = np.arange(len(rows))
    for shift, key in ((-0.2, "x_keras"), (0.2, "x_pytorch")):
        axes.barh(places + shift, [row.get(key) or 0 for row in rows], 0.38, label=key)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_yticks(places, [str(row[label]) for row in rows])
    axes.set_xlabel("times faster (median wall time)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(Path(path))
    print(f"wrote {path}", file=sys.stderr)
