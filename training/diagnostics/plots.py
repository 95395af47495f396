"""Pictures of the gradient diagnostics. One function a picture; each returns the file it wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Curves = Mapping[str, Sequence[float]]
SMALLEST = 1e-12  # below this a norm is drawn as this


def new_figure(width: float = 6.4, height: float = 4.2) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def saved(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".writing")
    figure.savefig(temporary, format="png", dpi=110)
    os.replace(temporary, path)
    return path


def norms_over_distance(norms: Curves, bounds: Curves, path: Path) -> Path:
    """‖∂s_t/∂s_k‖ over t−k, a line a layer, its bound [16] dashed."""
    figure, axes = new_figure()
    for name, values in norms.items():
        (line,) = axes.semilogy(np.maximum(values, SMALLEST), label=name)
        if name in bounds:
            bound = np.clip(bounds[name], SMALLEST, 1e6)
            axes.semilogy(bound, "--", color=line.get_color(), linewidth=0.8, alpha=0.6)
    axes.axhline(0.01, color="grey", linewidth=0.6, linestyle=":")
    axes.set(
        xlabel="distance t − k", ylabel="‖∂s_t/∂s_k‖" + (" (dashed: its bound)" if bounds else "")
    )
    axes.legend(fontsize=8)
    return saved(figure, path)


def contributions_over_distance(terms: Curves, path: Path) -> Path:
    """What each distance adds to ∂E/∂W [14], a line a layer."""
    figure, axes = new_figure()
    for name, values in terms.items():
        axes.semilogy(np.maximum(values, SMALLEST), label=name)
    axes.set(xlabel="distance t − k", ylabel="norm of its part of ∂E/∂W")
    axes.legend(fontsize=8)
    return saved(figure, path)


def heat_map(norms: np.ndarray, title: str, path: Path) -> Path:
    """log10 ‖∂s_t/∂s_k‖ over t and k, `[time, time]`."""
    figure, axes = new_figure(5.2, 4.4)
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = np.clip(np.log10(norms), -6, 3)
    image = axes.imshow(shown, origin="lower", aspect="auto", cmap="viridis")
    axes.set(xlabel="k", ylabel="t", title=title)
    figure.colorbar(image, label="log10 ‖∂s_t/∂s_k‖")
    return saved(figure, path)


def spectrum(singular_values: Mapping[str, np.ndarray], path: Path) -> Path:
    """Singular values of the recurrent matrix, a line a gate."""
    figure, axes = new_figure()
    for name, values in singular_values.items():
        axes.plot(values, label=name)
    axes.axhline(1.0, color="grey", linewidth=0.6, linestyle=":")
    axes.set(xlabel="rank", ylabel="singular value of the recurrent matrix")
    axes.legend(fontsize=7, ncols=2)
    return saved(figure, path)


def recall_over_distance(
    curves: Mapping[str, Mapping[str, float]], chance: float, path: Path
) -> Path:
    """Recall of the right name over its distance, a line a network."""
    figure, axes = new_figure()
    for name, by_distance in curves.items():
        axes.plot([int(d) for d in by_distance], list(by_distance.values()), "o-", label=name)
    axes.axhline(chance, color="grey", linewidth=0.8, linestyle=":", label="chance")
    axes.set(xlabel="words between the name and the blank", ylabel="recall of the right name")
    axes.set_ylim(0, 1.03)
    axes.legend(fontsize=8)
    return saved(figure, path)


def error_surface(plain: Any, clipped: Any, path: Path) -> Path:
    """Figure 5: E over (w, b) with both descents, near the wall and from afar."""
    from training.experiments.error_surface import error

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
    return saved(figure, path)
