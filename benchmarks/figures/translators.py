"""Figures 8 and 9: translation by an encoder and a decoder."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.figures.svg import Drawing, Node


def translator() -> Drawing:
    """Figure 8, [23] to [25]: three words are read, two are written."""
    d = Drawing(720, 270, "Figure 8: a translation model of one recurrent network")
    hidden = [d.box(90 + 130 * i, 130, f"h_{i + 1}", "hidden") for i in range(5)]
    for i, word in enumerate(("Echt", "dicke", "Kiste")):
        x = d.box(hidden[i].x, 205, f"x_{i + 1}", "input")
        d.text(x.x, 246, word, 12)
        d.arrow(x.top, hidden[i].bottom)
        d.text(x.x + 6, 172, "W^{(hx)}", 12, "start")
    for i, word in enumerate(("Awesome", "sauce")):
        y = d.box(hidden[i + 3].x, 60, f"y_{i + 1}", "output")
        d.text(y.x, 30, word, 12)
        d.arrow(hidden[i + 3].top, y.bottom)
        d.text(y.x + 6, 99, "W^{(S)}", 12, "start")
    _chain(d, hidden, "W^{(hh)}")
    d.text(220, 266, "encoder [23]", 12)
    d.text(570, 182, "decoder [24], [25]:", 12)
    d.text(570, 202, "the same W^{(hh)}, no input", 12)
    d.arrow((430, 20), (430, 255), dashed=True, head=False)
    return d


def three_inputs() -> Drawing:
    """Figure 9, [27]: each decoder state from h_{t−1}, c = h_T and y_{t−1}."""
    d = Drawing(760, 330, "Figure 9: a decoder with three inputs to each state")
    encoder = []
    for x, name in ((70, "1"), (180, "2"), (310, "T")):
        node = d.box(x, 230, f"h_{name}", "hidden")
        source = d.box(x, 300, f"x_{name}", "input")
        d.arrow(source.top, node.bottom)
        encoder.append(node)
    _chain(d, encoder[:2], "")
    d.arrow(encoder[1].right, encoder[2].left, dashed=True)
    context = d.box(400, 160, "c = h_T", "gate", 84)
    d.arrow(encoder[2].top, (310, 160), context.left)
    decoder = [d.box(500 + 105 * i, 230, f"h_{i + 1}", "backward") for i in range(3)]
    outputs = [d.box(node.x, 60, f"ŷ_{i + 1}", "output") for i, node in enumerate(decoder)]
    d.arrow(encoder[2].right, decoder[0].left)
    _chain(d, decoder, "")
    d.arrow(context.right, (690, 160), head=False)
    for node, output in zip(decoder, outputs, strict=True):
        d.arrow((node.x - 20, 160), (node.x - 20, 212))
        d.arrow(node.top, output.bottom)
    for output, node in zip(outputs, decoder[1:], strict=False):
        d.bow(output.right, ((output.x + 75, 60), (node.x - 30, 130)), (node.x - 8, 212))
    d.text(608, 290, "φ(h_{t−1}, c, y_{t−1})", 13)
    d.text(190, 190, "encoder", 12)
    return d


def _chain(d: Drawing, nodes: list[Node], label: str) -> None:
    for before, after in pairwise(nodes):
        d.arrow(before.right, after.left)
        if label:
            d.text((before.x + after.x) / 2, before.y - 8, label, 12)
