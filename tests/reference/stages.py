"""The stages of sections 3 and 4 in plain NumPy, by name, gate by gate; nothing of the package."""

from __future__ import annotations

import numpy as np

from tests.reference.cells import Array, Parameters, sigmoid

ORDERS = {"rnn": ("h",), "gru": ("z", "r", "h"), "lstm": ("i", "f", "c", "o"), "cifg": "fco"}


def stages(cell: str, p: Parameters, xs: Array) -> dict[str, Array]:
    """`[time, units]` of every stage over one sentence `[time, features]`, from zeros."""
    size = p.recurrent.shape[0]
    h, c = np.zeros(size), np.zeros(p.recurrent.shape[1] // len(ORDERS[cell]))
    rows = []
    for x in xs:
        row = STEPS[cell](_terms(cell, p, x, h), h, c)
        if p.projection is not None:
            row["h"] = row["h"] @ p.projection
        h, c = row["h"], row.get("c", c)
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _terms(cell: str, p: Parameters, x: Array, h: Array) -> dict[str, tuple[Array, Array]]:
    """(W x + b, U h + b_r) of each gate."""
    count = len(ORDERS[cell])
    none = np.zeros(p.kernel.shape[1])
    wx = x @ p.kernel + (none if p.bias is None else p.bias)
    uh = h @ p.recurrent + (none if p.recurrent_bias is None else p.recurrent_bias)
    pairs = zip(np.split(wx, count), np.split(uh, count), strict=True)
    return dict(zip(ORDERS[cell], pairs, strict=True))


def _rnn(t: dict, h: Array, c: Array) -> dict[str, Array]:
    return {"h": np.tanh(sum(t["h"]))}


def _gru(t: dict, h: Array, c: Array) -> dict[str, Array]:
    z, r = sigmoid(sum(t["z"])), sigmoid(sum(t["r"]))
    new = np.tanh(r * t["h"][1] + t["h"][0])
    return {"z": z, "r": r, "h_tilde": new, "h": (1 - z) * new + z * h}


def _lstm(t: dict, h: Array, c: Array) -> dict[str, Array]:
    i, f, o = (sigmoid(sum(t[gate])) for gate in "ifo")
    new = np.tanh(sum(t["c"]))
    memory = f * c + i * new
    return {"i": i, "f": f, "o": o, "c_tilde": new, "c": memory, "h": o * np.tanh(memory)}


def _cifg(t: dict, h: Array, c: Array) -> dict[str, Array]:
    f, o, new = sigmoid(sum(t["f"])), sigmoid(sum(t["o"])), np.tanh(sum(t["c"]))
    memory = f * c + (1 - f) * new
    return {"f": f, "o": o, "c_tilde": new, "c": memory, "h": o * np.tanh(memory)}


STEPS = {"rnn": _rnn, "gru": _gru, "lstm": _lstm, "cifg": _cifg}
