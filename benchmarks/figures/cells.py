"""Figures 10 and 11: the insides of a GRU and of an LSTM."""

from __future__ import annotations

from benchmarks.figures.svg import Drawing, Node


def gru() -> Drawing:
    """Figure 10, section 3: reset gate, new memory, update gate, hidden state."""
    d = Drawing(800, 420, "Figure 10: the insides of a GRU")
    h, x = d.box(50, 60, "h_{t−1}", "hidden"), d.box(50, 380, "x_t", "input")
    z, r = d.box(220, 150, "z_t = σ", "gate", 76), d.box(220, 240, "r_t = σ", "gate", 76)
    u = d.box(290, 315, "U", "operation", 40, 30)
    reset, memory = d.operation(370, 240, "∘"), d.box(480, 240, "h̃_t = tanh", "hidden", 100)
    keep, take = d.operation(480, 60, "∘"), d.operation(600, 240, "∘")
    one, total = d.operation(600, 150, "1−", 15), d.operation(670, 60, "+")
    new = d.box(750, 60, "h_t", "hidden")
    _gru_inputs(d, (h, x), (z, r), u, memory)
    d.arrow(r.right, reset.left)
    d.arrow(u.right, (370, 315), reset.bottom)
    d.arrow(reset.right, memory.left)
    d.arrow(memory.right, take.left)
    d.arrow(h.right, keep.left)
    d.arrow(z.right, one.left)
    d.arrow((480, 150), keep.bottom)
    d.arrow(one.bottom, take.top)
    d.arrow(take.right, (670, 240), total.bottom)
    d.arrow(keep.right, total.left)
    d.arrow(total.right, new.left)
    notes = (("update gate", 220, 124), ("reset gate", 220, 214), ("new memory", 480, 214),
             ("z_t ∘ h_{t−1}", 560, 50), ("(1−z_t) ∘ h̃_t", 728, 200))  # fmt: skip
    for text, place, height in notes:
        d.text(place, height, text, 12)
    return d


def _gru_inputs(
    d: Drawing, inputs: tuple[Node, Node], gates: tuple[Node, Node], u: Node, memory: Node
) -> None:
    """h_{t−1} and x_t to both gates; U h_{t−1} to the reset gate's product; W x_t to the memory."""
    x = inputs[1]
    d.arrow((110, 60), (110, 315), u.left)
    d.arrow((140, 380), (140, 158), (gates[0].left[0], 158))
    d.arrow((140, 248), (gates[1].left[0], 248))
    for gate in gates:
        d.arrow((110, gate.y - 8), (gate.left[0], gate.y - 8))
    d.arrow(x.right, (memory.x, 380), memory.bottom)
    d.text(488, 330, "W", 13, "start")
    for gate, name in zip(gates, "zr", strict=True):
        d.text(gate.x, gate.y + 34, f"W^{{({name})}}, U^{{({name})}}", 11)


def lstm() -> Drawing:
    """Figure 11, section 4: three gates around a memory."""
    d = Drawing(840, 400, "Figure 11: the insides of an LSTM")
    c, h, x = (d.box(50, y, name, kind)
               for y, name, kind in ((60, "c_{t−1}", "hidden"), (310, "h_{t−1}", "hidden"),
                                     (365, "x_t", "input")))  # fmt: skip
    names = (("f_t = σ", "forget gate", "f"), ("i_t = σ", "input gate", "i"),
             ("c̃_t = tanh", "new memory", "c"), ("o_t = σ", "output gate", "o"))  # fmt: skip
    gates = []
    for i, (label, role, symbol) in enumerate(names):
        kind = "hidden" if symbol == "c" else "gate"
        gate = d.box(200 + 130 * i, 215, label, kind, 96)
        d.arrow((gate.x - 12, 310), (gate.x - 12, 233))
        d.arrow((gate.x + 12, 365), (gate.x + 12, 233))
        d.text(gate.x - 16, 262, f"U^{{({symbol})}}", 11, "end")
        d.text(gate.x + 16, 262, f"W^{{({symbol})}}", 11, "start")
        side = "start" if symbol == "c" else "end"  # of the arrow that leaves the gate
        d.text(gate.x + (6 if symbol == "c" else -6), 190, role, 11, side)
        gates.append(gate)
    for node in (h, x):
        d.arrow(node.right, (gates[-1].x + (12 if node is x else -12), node.y), head=False)
    _lstm_memory(d, c, gates)
    return d


def _lstm_memory(d: Drawing, c: Node, gates: list[Node]) -> None:
    """c_t = f ∘ c_{t−1} + i ∘ c̃, along the top; h_t = o ∘ tanh(c_t), at the right."""
    f, i, memory, o = gates
    forget, write = d.operation(f.x, 60, "∘"), d.operation(395, 140, "∘")
    total, expose = d.operation(395, 60, "+"), d.operation(710, 215, "∘")
    squash = d.box(710, 135, "tanh", "hidden", 56, 32)
    new_c, new_h = d.box(795, 60, "c_t", "hidden"), d.box(795, 215, "h_t", "hidden")
    d.arrow(c.right, forget.left)
    d.arrow(f.top, forget.bottom)
    d.arrow(forget.right, total.left)
    d.arrow(i.top, (i.x, 140), write.left)
    d.arrow(memory.top, (memory.x, 140), write.right)
    d.arrow(write.top, total.bottom)
    d.arrow(total.right, new_c.left)
    d.arrow((710, 60), squash.top)
    d.arrow(squash.bottom, expose.top)
    d.arrow(o.right, expose.left)
    d.arrow(expose.right, new_h.left)
    d.text(290, 50, "f_t ∘ c_{t−1}", 12)
    d.text(412, 110, "i_t ∘ c̃_t", 12, "start")
    d.text(560, 50, "final memory", 12)
