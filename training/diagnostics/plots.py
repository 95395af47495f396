"""Pictures of the gradient diagnostics. One function a picture; each returns the file it wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.io import replaced_file

Curves = Mapping[str, Sequence[float]]
SMALLEST = 1e-12  # below this a norm is drawn as this


def new_figure(width: float = 6.4, height: float = 4.2) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def write_png(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
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
    return write_png(figure, path)


def contributions_over_distance(terms: Curves, path: Path) -> Path:
    """What each distance adds to ∂E/∂W [14], a line a layer."""
    figure, axes = new_figure()
    for name, values in terms.items():
        axes.semilogy(np.maximum(values, SMALLEST), label=name)
    axes.set(xlabel="distance t − k", ylabel="norm of its part of ∂E/∂W")
    axes.legend(fontsize=8)
    return write_png(figure, path)


def heat_map(norms: np.ndarray, title: str, path: Path) -> Path:
    """log10 ‖∂s_t/∂s_k‖ over t and k, `[time, time]`."""
    figure, axes = new_figure(5.2, 4.4)
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = np.clip(np.log10(norms), -6, 3)
    image = axes.imshow(shown, origin="lower", aspect="auto", cmap="viridis")
    axes.set(xlabel="k", ylabel="t", title=title)
    figure.colorbar(image, label="log10 ‖∂s_t/∂s_k‖")
    return write_png(figure, path)


def spectrum(singular_values: Mapping[str, np.ndarray], path: Path) -> Path:
    """Singular values of the recurrent matrix, a line a gate."""
    figure, axes = new_figure()
    for name, values in singular_values.items():
        axes.plot(values, label=name)
    axes.axhline(1.0, color="grey", linewidth=0.6, linestyle=":")
    axes.set(xlabel="rank", ylabel="singular value of the recurrent matrix")
    axes.legend(fontsize=7, ncols=2)
    return write_png(figure, path)
