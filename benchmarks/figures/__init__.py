"""Drawings of the notes' figures 1 to 4 and 6 to 11, our own, as small SVG files.

    python -m benchmarks.figures            writes docs/figures/figure_N.svg
    python -m benchmarks.figures --gates    and docs/images/gates_CELL.png from the presets

Figure 5, the error surface, is computed: `zoo gradients training/configs/error_surface.yaml`.
"""
