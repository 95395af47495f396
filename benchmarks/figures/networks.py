"""Figures 1 to 4, 6 and 7: Bengio's network, the recurrent network, both directions."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.figures.svg import Drawing, Node

STEPS = ("t−1", "t", "t+1")


def bengio() -> Drawing:
    """Figure 1 and [4]: the window's word vectors, tanh, and a direct way to the output."""
    d = Drawing(640, 400, "Figure 1: Bengio's neural language model")
    words = [
        (d.box(x, 360, f"w_{{{name}}}", "input", 84), d.box(x, 290, f"C({name})", "input", 84))
        for x, name in zip((120, 260, 480), ("t−n+1", "t−n+2", "t"), strict=True)
    ]
    d.text(370, 365, "…")
    d.text(370, 295, "…")
    x = d.box(300, 220, "x: word vectors side by side", "input", 440)
    for word, vector in words:
        d.arrow(word.top, vector.bottom)
        d.arrow(vector.top, (vector.x, 238))
    hidden = d.box(300, 140, "tanh(W^{(1)} x + b^{(1)})", "hidden", 240)
    output = d.box(300, 50, "ŷ = softmax(W^{(2)} tanh(…) + W^{(3)} x + b^{(3)})", "output", 420)
    d.arrow(x.top, hidden.bottom)
    d.arrow(hidden.top, output.bottom)
    d.arrow((500, 202), (590, 202), (590, 50), output.right, dashed=True)
    d.text(325, 184, "W^{(1)}", anchor="start")
    d.text(325, 104, "W^{(2)}", anchor="start")
    d.text(582, 140, "W^{(3)}", anchor="end")
    d.text(60, 330, "the same C for all", 11)
    return d


def unrolled() -> Drawing:
    """Figure 2, [5] and [6]: three time-steps, one set of matrices."""
    d = Drawing(640, 260, "Figure 2: a recurrent network over three time-steps")
    hidden = [d.box(140 + 180 * i, 130, f"h_{{{s}}}", "hidden", 70) for i, s in enumerate(STEPS)]
    for node, s in zip(hidden, STEPS, strict=True):
        x, y = d.box(node.x, 225, f"x_{{{s}}}", "input"), d.box(node.x, 35, f"ŷ_{{{s}}}", "output")
        d.arrow(x.top, node.bottom)
        d.arrow(node.top, y.bottom)
        d.text(node.x + 8, 182, "W^{(hx)}", 12, "start")
        d.text(node.x + 8, 88, "W^{(S)}", 12, "start")
    ends = [(50.0, 130.0), *(node.right for node in hidden)]
    starts = [*(node.left for node in hidden), (590.0, 130.0)]
    for end, start in zip(ends, starts, strict=True):
        d.arrow(end, start)
        d.text((end[0] + start[0]) / 2, 122, "W^{(hh)}", 12)
    return d


def neuron() -> Drawing:
    """Figure 3: what goes into one neuron of the hidden layer, and where its output goes."""
    d = Drawing(640, 320, "Figure 3: inputs and outputs of one neuron of a recurrent network")
    total, f = d.operation(300, 160, "Σ", 20), d.box(390, 160, "σ", "hidden", 46)
    groups = ((("h_{t−1,1}", "h_{t−1,2}", "h_{t−1,D}"), "W^{(hh)}", 40, "hidden"),
              (("x_{t,1}", "x_{t,2}", "x_{t,d}"), "W^{(hx)}", 190, "input"))  # fmt: skip
    for names, matrix, y, kind in groups:
        for place, name in zip((0, 36, 88), names, strict=True):
            node = d.box(90, y + place, name, kind, 84, 28)
            d.arrow(node.right, (281, 154 if kind == "hidden" else 166))
        d.text(90, y + 68, "⋮")
        d.text(190, y + (14 if kind == "hidden" else 90), matrix, 12)
    d.arrow(total.right, f.left)
    output = d.box(480, 160, "h_{t,j}", "hidden")
    d.arrow(f.right, output.left)
    d.arrow(output.top, (480, 60))
    d.text(480, 48, "ŷ_t, by W^{(S)}")
    d.arrow(output.right, (570, 160))
    d.text(574, 150, "step t+1,", 12)
    d.text(574, 182, "by W^{(hh)}", 12)
    return d


def loop() -> Drawing:
    """Figure 4: the same network as a loop."""
    d = Drawing(400, 260, "Figure 4: a recurrent network as a loop over time-steps")
    rows = ((225, "x_t", "input"), (130, "h_t", "hidden"), (35, "ŷ_t", "output"))
    x, h, y = (d.box(120, place, name, kind, 70) for place, name, kind in rows)
    d.arrow(x.top, h.bottom)
    d.arrow(h.top, y.bottom)
    d.bow((155, 122), ((250, 60), (250, 200)), (155, 140))
    for place, name in ((182, "W^{(hx)}"), (88, "W^{(S)}")):
        d.text(112, place, name, 12, "end")
    d.text(236, 134, "W^{(hh)}, one step later", 12, "start")
    return d


def bidirectional() -> Drawing:
    """Figure 6, [17] to [19]: two hidden layers, one in each direction."""
    d = Drawing(640, 330, "Figure 6: a bidirectional recurrent network")
    pairs = []
    for i, s in enumerate(STEPS):
        x = d.box(130 + 190 * i, 295, f"x_{{{s}}}", "input")
        pair = _pair(d, x.x, 210, 120, s, "")
        y = d.box(x.x, 35, f"ŷ_{{{s}}}", "output")
        for node in pair:
            d.arrow(x.top, node.bottom)
            d.arrow(node.top, y.bottom)
        pairs.append(pair)
    _both_ways(d, pairs, 30, 620)
    return d


def deep_bidirectional() -> Drawing:
    """Figure 7, [20] to [22]: each layer reads both directions of the one below."""
    d = Drawing(640, 640, "Figure 7: a deep bidirectional recurrent network of three layers")
    columns = [130 + 190 * i for i in range(3)]
    below = [[d.box(x, 610, f"x_{{{s}}}", "input")] for x, s in zip(columns, STEPS, strict=True)]
    for level in (1, 2, 3):
        low = 710 - 170 * level
        layer = []
        for x, s, under in zip(columns, STEPS, below, strict=True):
            pair = _pair(d, x, low, low - 70, s, f"^{{({level})}}")
            for start in under:
                for node in pair:
                    d.arrow(start.top, node.bottom)
            layer.append(pair)
        _both_ways(d, layer, 30, 620)
        below = layer
    for x, s, pair in zip(columns, STEPS, below, strict=True):
        y = d.box(x, 35, f"ŷ_{{{s}}}", "output")
        for node in pair:
            d.arrow(node.top, y.bottom)
    return d


def _pair(d: Drawing, x: float, low: float, high: float, step: str, level: str) -> list[Node]:
    """→h and ←h of one step, the latter a little higher and to the right."""
    return [
        d.box(x - 34, low, f"→h_{{{step}}}{level}", "hidden", 74, 32),
        d.box(x + 34, high, f"←h_{{{step}}}{level}", "backward", 74, 32),
    ]


def _both_ways(d: Drawing, pairs: list[list[Node]], first: float, last: float) -> None:
    """From step to step: →h to the right, ←h to the left."""
    forward, backward = zip(*pairs, strict=True)
    d.arrow((first, forward[0].y), forward[0].left)
    d.arrow(forward[-1].right, (last, forward[-1].y))
    d.arrow((last, backward[-1].y), backward[-1].right)
    d.arrow(backward[0].left, (first, backward[0].y))
    for before, after in pairwise(forward):
        d.arrow(before.right, after.left)
    for before, after in pairwise(backward):
        d.arrow(after.left, before.right)
