"""Boxes, operations, arrows and the notes' symbols as SVG text.

The same calls always give the same bytes: coordinates are given by hand and written short, and no
font is measured. In a label `_t`, `_{t−1}` are subscripts, `^T`, `^{(hx)}` superscripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

Point = tuple[float, float]

COLOURS = {
    "input": ("#eef5e2", "#5d8233"),
    "hidden": ("#dfeaf7", "#33639b"),
    "backward": ("#e9e2f5", "#68459b"),
    "gate": ("#fdf0d5", "#a8741a"),
    "output": ("#fae3dc", "#b04a2a"),
    "operation": ("#ffffff", "#333333"),
}
PIECE = re.compile(r"([_^])(?:\{([^}]*)\}|(.))|([^_^]+)")
HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#333"/></marker></defs>'
)


class Node(NamedTuple):
    """Something drawn, by its centre and size; arrows start and end at its sides."""

    x: float
    y: float
    width: float
    height: float

    @property
    def top(self) -> Point:
        return self.x, self.y - self.height / 2

    @property
    def bottom(self) -> Point:
        return self.x, self.y + self.height / 2

    @property
    def left(self) -> Point:
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> Point:
        return self.x + self.width / 2, self.y


class Drawing:
    """An SVG picture under construction.

    Args:
        width, height: in pixels.
        title: read out to those who cannot see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self.size, self.title = (width, height), title
        self.parts: list[str] = []

    def box(
        self, x: float, y: float, label: str, kind: str, width: float = 62, height: float = 36
    ) -> Node:
        """A rounded rectangle around (x, y)."""
        fill, stroke = COLOURS[kind]
        self.parts.append(
            f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" '
            f'height="{height:g}" rx="6" fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
        )
        self.text(x, y + 5, label)
        return Node(x, y, width, height)

    def operation(self, x: float, y: float, sign: str, radius: float = 13) -> Node:
        """A circle with what is done in it: ∘, +, Σ."""
        fill, stroke = COLOURS["operation"]
        self.parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{stroke}"/>'
        )
        self.text(x, y + 6, sign, 20 if sign in "∘+" else 14)
        return Node(x, y, 2 * radius, 2 * radius)

    def text(self, x: float, y: float, label: str, size: int = 14, anchor: str = "middle") -> None:
        """A label with its baseline at y."""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}">'
            f"{''.join(spans(label, size))}</text>"
        )

    def arrow(self, *points: Point, dashed: bool = False, head: bool = True) -> None:
        """A line through the points; it ends in an arrow head."""
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
        self._path(path, dashed, head)

    def bow(self, start: Point, bend: Sequence[Point], end: Point) -> None:
        """A Bézier curve with two points that draw it to them."""
        path = "M{:g} {:g}C{:g} {:g} {:g} {:g} {:g} {:g}".format(*start, *bend[0], *bend[1], *end)
        self._path(path, False, True)

    def _path(self, path: str, dashed: bool, head: bool) -> None:
        style = ' stroke-dasharray="5 3"' if dashed else ""
        style += ' marker-end="url(#head)"' if head else ""
        self.parts.append(f'<path d="{path}" fill="none" stroke="#333" stroke-width="1.2"{style}/>')

    def svg(self) -> str:
        """The whole file."""
        width, height = self.size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" '
            'font-family="DejaVu Sans, Arial, sans-serif" fill="#111">'
        )
        ground = f'<rect width="{width}" height="{height}" fill="#fff"/>'
        lines = [head, f"<title>{escape(self.title)}</title>", HEAD, ground, *self.parts, "</svg>"]
        return "\n".join(lines) + "\n"


def spans(label: str, size: int) -> Iterator[str]:
    """A label's pieces, with sub- and superscripts moved off the line and back to it."""
    height = 0.0
    for sign, braced, single, plain in PIECE.findall(label):
        wanted = {"_": 0.3, "^": -0.4}.get(sign, 0.0) * size
        small = f' font-size="{size * 0.7:g}"' if sign else ""
        text = escape(plain or braced or single)
        moved = f' dy="{wanted - height:g}"' if wanted != height else ""
        yield f"<tspan{moved}{small}>{text}</tspan>" if moved or small else text
        height = wanted
