"""Pictures of the experiments. One function a picture; each returns the file it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from training.diagnostics.plots import new_figure, write_png
from training.experiments.error_surface import Descent, error


def over_distance(
    curves: Mapping[str, Mapping[str, float]], chance: float, what: str, path: Path
) -> Path:
    """Recall or probability of the right name over its distance, a line a network."""
    figure, axes = new_figure()
    for name, by_distance in curves.items():
        axes.plot([int(d) for d in by_distance], list(by_distance.values()), "o-", label=name)
    axes.axhline(chance, color="grey", linewidth=0.8, linestyle=":", label="chance")
    axes.set(xlabel="words between the name and the blank", ylabel=f"{what} of the right name")
    axes.set_ylim(0, 1.03)
    axes.legend(fontsize=8)
    return write_png(figure, path)


def error_surface(plain: Descent, clipped: Descent, path: Path) -> Path:
    """Figure 5: E over (w, b) with both descents, near the wall and from afar."""
    figure, axes = new_figure(9.0, 4.2)
    axes.remove()
    near, far = figure.subplots(1, 2)
    points = np.concatenate([plain.points, clipped.points])
    for view, low, high in (
        (near, clipped.points.min(axis=0) - 0.6, clipped.points.max(axis=0) + 0.6),
        (far, points.min(axis=0) - 1.0, points.max(axis=0) + 1.0),
    ):
        w, b = np.meshgrid(np.linspace(low[0], high[0], 300), np.linspace(low[1], high[1], 300))
        filled = view.contourf(w, b, error(w, b), levels=30, cmap="viridis")
        view.plot(*plain.points.T, "-", color="white", marker=".", label="plain", linewidth=1)
        view.plot(
            *clipped.points.T, "--", color="red", marker=".", label="Algorithm 1", linewidth=1
        )
        view.set(xlabel="w", ylabel="b", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    near.legend(fontsize=8)
    figure.colorbar(filled, label="E(w, b)")
    return write_png(figure, path)
