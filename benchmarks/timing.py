"""Timing contestants in turns: medians of wall and processor time, spread, and the matrix peak."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Contestants = dict[str, Callable[[], Any]]
PAUSE = 0.004  # seconds before a turn: threads of the one before stop spinning


def in_turns(contestants: Contestants, rounds: int = 15, warm_up: int = 3) -> dict[str, dict]:
    """Run every contestant once a round, so that a busy machine slows all of them alike.

    Returns:
        For each name `wall_ms`, `wall_ms_low`, `wall_ms_high` (quartiles), `wall_ms_best`,
        `cpu_ms` (median processor time of all threads), `cpu_ms_best`, and for every one but the
        first `ratio`, `ratio_low`, `ratio_high`: quartiles of its time over the first's, round
        by round, and `ratio_cpu`.
    """
    for run in contestants.values():
        for _ in range(warm_up):
            run()
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            time.sleep(PAUSE)
            started, used = time.perf_counter(), time.process_time()
            run()
            wall[name].append((time.perf_counter() - started) * 1e3)
            cpu[name].append((time.process_time() - used) * 1e3)
    summaries = {name: _summary(wall[name], cpu[name]) for name in contestants}
    first = next(iter(contestants))
    for name in set(contestants) - {first}:
        summaries[name] |= _ratios(wall[name], wall[first])
        summaries[name]["ratio_cpu"] = round(statistics.median(_divided(cpu[name], cpu[first])), 2)
    return summaries


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


def _divided(above: list[float], below: list[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


def _ratios(theirs: list[float], ours: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(_divided(theirs, ours), n=4)
    return {
        "ratio": round(middle, 2),
        "ratio_low": round(low, 2),
        "ratio_high": round(high, 2),
    }


def compared(result: dict[str, dict], ours: str) -> dict[str, Any]:
    """A row of a report: every contestant's figures, and how many times faster ours is.

    `x_NAME` is the median over the rounds of NAME's time over ours, `x_NAME_low` and
    `x_NAME_high` its quartiles, `x_NAME_cpu` the same of processor time.
    """
    row: dict[str, Any] = {}
    for name, values in result.items():
        plain = {key: value for key, value in values.items() if not key.startswith("ratio")}
        row |= {f"{name}_{key}": value for key, value in plain.items()}
    for name, values in result.items():
        if name != ours:
            row[f"x_{name}"] = values["ratio"]
            row |= {f"x_{name}_{k}": values[f"ratio_{k}"] for k in ("low", "high", "cpu")}
    return row


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


def report(
    rows: list[dict[str, Any]], as_json: bool, columns: dict[str, str] | None = None
) -> None:
    """Print rows as JSON lines, or as a Markdown table of `columns` (heading: key).

    Without `columns` every figure is printed by name. A key whose row also has `KEY_low` and
    `KEY_high` is printed with that spread.
    """
    if as_json:
        for row in rows:
            print(json.dumps(row), flush=True)
    elif columns is None:
        for row in rows:
            print("  ".join(f"{key}={value}" for key, value in row.items()))
    else:
        print(f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", sep="\n")
        for row in rows:
            print(f"| {' | '.join(_cell(row, key) for key in columns.values())} |", flush=True)


def _cell(row: dict[str, Any], key: str) -> str:
    value = row.get(key, "–")
    if f"{key}_low" in row:
        return f"{value} ({row[f'{key}_low']}–{row[f'{key}_high']})"
    return str(value)


def plot_ratios(
    rows: list[dict[str, Any]],
    label: str,
    path: str,
    keys: Sequence[str] = ("x_keras", "x_pytorch"),
) -> None:
    """Bars of the wall-time ratios `keys` of each row, with their quartiles."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.5 * len(rows) + 1.2))
    places, height = np.arange(len(rows)), 0.76 / len(keys)
    for i, key in enumerate(keys):
        values = np.array([row.get(key) or 0 for row in rows])
        ends = [[row.get(f"{key}_{end}", v) for row, v in zip(rows, values, strict=True)]
                for end in ("low", "high")]  # fmt: skip
        spread = np.abs(np.array(ends) - values)
        axes.barh(places + (i - (len(keys) - 1) / 2) * height, values, height, xerr=spread,
                  error_kw={"linewidth": 0.8}, label=key.removeprefix("x_"))  # fmt: skip
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_yticks(places, [str(row[label]) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("times faster (median of the rounds' wall-time ratios, quartiles)")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(Path(path), dpi=90)
    print(f"wrote {path}", file=sys.stderr)
