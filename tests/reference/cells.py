"""The cells of the notes in plain NumPy, one sentence at a time, one step at a time.

Nothing here shares code or structure with the package: every function takes the matrices of one
gate by name, and gradients come from the chain rule written out per step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


FUNCTIONS = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype)),
}


@dataclass
class Parameters:
    """Weights in the layout of Keras: gates side by side in the columns."""

    kernel: Array
    recurrent: Array
    bias: Array | None = None
    recurrent_bias: Array | None = None
    projection: Array | None = None
    gradients: dict[str, Array] = field(default_factory=dict)

    def add(self, name: str, value: Array) -> None:
        self.gradients[name] = self.gradients.get(name, 0) + value


def _affine(p: Parameters, x: Array, h: Array) -> tuple[Array, Array]:
    wx = x @ p.kernel + (0 if p.bias is None else p.bias)
    uh = h @ p.recurrent + (0 if p.recurrent_bias is None else p.recurrent_bias)
    return wx, uh


def _affine_back(p: Parameters, x: Array, h: Array, d_wx: Array, d_uh: Array) -> tuple:
    p.add("kernel", np.outer(x, d_wx))
    p.add("recurrent", np.outer(h, d_uh))
    if p.bias is not None:
        p.add("bias", d_wx)
    if p.recurrent_bias is not None:
        p.add("recurrent_bias", d_uh)
    return p.kernel @ d_wx, p.recurrent @ d_uh


def rnn(p: Parameters, x: Array, state: tuple, activation: str = "tanh") -> tuple:
    """[5]: h = σ(W x + U h)."""
    f, df = FUNCTIONS[activation]
    wx, uh = _affine(p, x, state[0])

    def back(d_state: tuple) -> tuple:
        d = d_state[0] * df(wx + uh)
        dx, dh = _affine_back(p, x, state[0], d, d)
        return dx, (dh,)

    return (f(wx + uh),), back


def gru(p: Parameters, x: Array, state: tuple) -> tuple:
    """Section 3."""
    (h,) = state
    wx, uh = _affine(p, x, h)
    xz, xr, xh = np.split(wx, 3)
    uz, ur, un = np.split(uh, 3)
    z, r = sigmoid(xz + uz), sigmoid(xr + ur)
    new = np.tanh(r * un + xh)

    def back(d_state: tuple) -> tuple:
        (d,) = d_state
        d_new = d * (1 - z) * (1 - new**2)
        d_z = d * (h - new) * z * (1 - z)
        d_r = d_new * un * r * (1 - r)
        d_wx = np.concatenate([d_z, d_r, d_new])
        dx, dh = _affine_back(p, x, h, d_wx, np.concatenate([d_z, d_r, d_new * r]))
        return dx, (dh + d * z,)

    return ((1 - z) * new + z * h,), back


def lstm(p: Parameters, x: Array, state: tuple) -> tuple:
    """Section 4."""
    h, c_old = state
    wx, uh = _affine(p, x, h)
    ai, af, ac, ao = np.split(wx + uh, 4)
    i, f, o, new = sigmoid(ai), sigmoid(af), sigmoid(ao), np.tanh(ac)
    c = f * c_old + i * new

    def back(d_state: tuple) -> tuple:
        d_h, d_c = d_state
        d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
        d_i, d_f = d_c * new * i * (1 - i), d_c * c_old * f * (1 - f)
        d_n, d_o = d_c * i * (1 - new**2), d_h * np.tanh(c) * o * (1 - o)
        d = np.concatenate([d_i, d_f, d_n, d_o])
        dx, dh = _affine_back(p, x, h, d, d)
        return dx, (dh, d_c * f)

    return (o * np.tanh(c), c), back


def cifg(p: Parameters, x: Array, state: tuple) -> tuple:
    """Section 4 with i = 1 − f, and h = P (o ∘ tanh c)."""
    h, c_old = state
    wx, uh = _affine(p, x, h)
    af, ac, ao = np.split(wx + uh, 3)
    f, o, new = sigmoid(af), sigmoid(ao), np.tanh(ac)
    c = f * c_old + (1 - f) * new
    inner = o * np.tanh(c)

    def back(d_state: tuple) -> tuple:
        d_h, d_c = d_state
        if p.projection is not None:
            p.add("projection", np.outer(inner, d_h))
            d_h = p.projection @ d_h
        d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
        d_f, d_n = d_c * (c_old - new) * f * (1 - f), d_c * (1 - f) * (1 - new**2)
        d = np.concatenate([d_f, d_n, d_h * np.tanh(c) * o * (1 - o)])
        dx, dh = _affine_back(p, x, h, d, d)
        return dx, (dh, d_c * f)

    return (inner if p.projection is None else inner @ p.projection, c), back


STEPS = {
    "rnn": rnn,
    "gru": gru,
    "lstm": lstm,
    "cifg": cifg,
}


def run(cell, p: Parameters, x: Array, lengths: list[int], state: list[Array], d_y: Array) -> tuple:
    """Every sentence alone up to its length: outputs, last states, and all gradients.

    Args:
        x: `[batch, time, features]`; state: initial states `[batch, size]`; d_y: gradient of
            every output `[batch, time, outputs]` (ignored beyond a sentence's length).

    Returns:
        `(outputs, last states, dx, d_state)`; outputs beyond a length repeat the last one.
    """
    outputs, d_x = np.zeros_like(d_y), np.zeros_like(x)
    last = [np.array(s) for s in state]
    d_first = [np.zeros_like(s) for s in state]
    for n, length in enumerate(lengths):
        current, backs = tuple(s[n] for s in state), []
        for t in range(length):
            current, back = cell(p, x[n, t], current)
            outputs[n, t] = current[0]
            backs.append(back)
        if length:
            outputs[n, length:] = current[0]
        for kept, s in zip(last, current, strict=True):
            kept[n] = s
        d_state = tuple(np.zeros_like(s) for s in current)
        for t in reversed(range(length)):
            d_x[n, t], d_state = backs[t]((d_state[0] + d_y[n, t], *d_state[1:]))
        for kept, d in zip(d_first, d_state, strict=True):
            kept[n] = d
    return outputs, last, d_x, d_first
