"""The picture of the README: perplexity over parameters of every language model of one corpus."""

from __future__ import annotations

from pathlib import Path

import zoo
from training.diagnostics.plots import new_figure, write_png
from training.publishing.run_records import read_records

Points = dict[str, tuple[float, float]]  # million parameters and test perplexity by name


def points(data: str) -> Points:
    """The shipped presets and the recorded runs that have a finite test perplexity."""
    presets = ((n, i.data, i.parameters, i.metrics) for n, i in zoo.list_presets().items())
    records = ((n, k["data"], k["parameters"], k["metrics"]) for n, k in read_records().items())
    return {
        name: (parameters / 1e6, metrics["test_perplexity"])
        for name, corpus, parameters, metrics in (*presets, *records)
        if corpus == data and metrics.get("test_perplexity") is not None
    }


def plot(data: str, path: Path) -> Path:
    """Draw them; counts and networks by colour."""
    figure, axes = new_figure(7.2, 4.2)
    in_order = sorted(points(data).items(), key=lambda item: item[1][1])
    for i, (name, (parameters, perplexity)) in enumerate(in_order):
        counted = name.startswith(("kn", "mle", "interpolated"))
        axes.plot(parameters, perplexity, "s" if counted else "o", color="C1" if counted else "C0")
        label = name.removesuffix(f"_{data}")
        axes.annotate(
            label, (parameters, perplexity), (6, (-10, 4)[i % 2]), textcoords="offset points"
        )
    axes.set(
        xlabel="million parameters (squares: with counts)",
        ylabel="test perplexity",
        title=f"Language models on {data}: same sentences, same vocabulary",
    )
    axes.margins(x=0.2, y=0.1)
    axes.grid(alpha=0.3)
    return write_png(figure, path)
