"""The translation model of section 2.4 in plain NumPy: one sentence, one word at a time.

Written from equations [17]-[18], [23]-[27] and Bahdanau et al. 2015; it takes matrices from a
model and nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tests.reference.cells import STEPS, Parameters

Array = np.ndarray


def array(weight: Any) -> Array:
    return np.asarray(weight).astype(np.float64)


def parameters(cell: str, kernel: Any, layer: Any) -> Parameters:
    """A level's matrices; GRU keeps its two biases as rows of one array."""
    bias, recurrent_bias = None, None
    if layer.bias is not None:
        bias = array(layer.bias)
        if cell == "gru":
            bias, recurrent_bias = bias
    kernel = np.zeros((0, layer.recurrent_kernel.shape[1])) if kernel is None else array(kernel)
    return Parameters(kernel, array(layer.recurrent_kernel), bias, recurrent_bias)


def step_of(settings: Any) -> Any:
    """The cell's step; the plain RNN's with its activation."""
    if settings.cell != "rnn":
        return STEPS[settings.cell]
    activation = (settings.cell_options or {}).get("activation", "tanh")
    return partial(STEPS["rnn"], activation=activation)


def read(settings: Any, layer: Any, xs: list[Array]) -> tuple[list[Array], tuple[Array, ...]]:
    """[23]: h_1 ... h_T from zero, and the last state."""
    p = parameters(settings.cell, layer.kernel, layer)
    step = step_of(settings)
    state = tuple(np.zeros(size) for size in layer.state_size)
    outputs = []
    for x in xs:
        state, _ = step(p, x, state)
        outputs.append(state[0])
    return outputs, state


def encode(model: Any, ids: list[int]) -> tuple[list[Array], Array, list[tuple[Array, ...]]]:
    """h_1 ... h_T of the top layer, c = h_T, and the decoder's first states."""
    settings, encoder = model.settings, model.encoder
    xs = [array(encoder.embedding.embeddings)[i] for i in ids]
    states: list[tuple[Array, ...]] = []
    bridges = iter(encoder.bridges)
    for i, layer in enumerate(encoder.recurrent_layers):
        below = xs if i and settings.residual else []
        if not settings.bidirectional_encoder:
            xs, last = read(settings, layer, xs)
            xs = added(below, xs)
            states.append(last)
            context = last[0]
            continue
        past, first = read(settings, layer.forward_layer, xs)
        future, second = read(settings, layer.backward_layer, xs[::-1])
        xs = [np.concatenate(pair) for pair in zip(past, future[::-1], strict=True)]
        xs = added(below, xs)
        both = [np.concatenate(pair) for pair in zip(first, second, strict=True)]
        context = both[0]
        if i < settings.num_layers - settings.decoder_layers:
            continue
        joined = []
        for s in both:
            bridge = next(bridges)
            joined.append(s @ array(bridge.kernel) + array(bridge.bias))
        states.append(tuple(joined))
    return xs, context, states[-settings.decoder_layers :]


def added(below: list[Array], xs: list[Array]) -> list[Array]:
    """Residual layers add to what they read."""
    return [x + b for x, b in zip(xs, below, strict=True)] if below else xs


def attend(attention: Any, query: Array, memory: list[Array]) -> Array:
    """c_t = Σ_j α_tj h_j with α_t = softmax_j(v · tanh(W_q h_{t-1} + W_m h_j + b))."""
    energies = np.array(
        [
            array(attention.score_kernel)[:, 0]
            @ np.tanh(
                query @ array(attention.query_kernel)
                + h @ array(attention.memory_kernel)
                + array(attention.bias)
            )
            for h in memory
        ]
    )
    weights = np.exp(energies - energies.max())
    return sum(w * h for w, h in zip(weights / weights.sum(), memory, strict=True))


def log_probs(model: Any, source: list[int], inputs: list[int]) -> Array:
    """log of [25] after each of the inputs, [time, vocabulary]."""
    settings, decoder = model.settings, model.decoder
    memory, c, states = encode(model, source)
    rows = []
    for token in inputs:
        if settings.attention:
            c = attend(decoder.attention, states[-1][0], memory)
        parts = [array(decoder.embedding.embeddings)[token]] if settings.feed_context else []
        if settings.feed_context or settings.attention:
            parts.append(c)
        x = np.concatenate([*parts, np.zeros(0)])
        for i, level in enumerate(decoder.levels):
            recurrent = level.recurrent
            kernel = recurrent.kernel if level.reuse_kernel else None
            kernel = level.projection.kernel if level.projection is not None else kernel
            p = parameters(settings.cell, kernel, recurrent)
            states[i], _ = step_of(settings)(p, x, states[i])
            h = states[i][0]
            x = x + h if i and settings.residual else h
        if settings.readout_units:
            features = np.concatenate([x, *reversed(parts)])
            x = np.tanh(features @ array(decoder.readout.kernel) + array(decoder.readout.bias))
        output = model.output_projection
        logits = x @ array(output.kernel) + array(output.bias)
        logits -= logits.max()
        rows.append(logits - np.log(np.exp(logits).sum()))
    return np.stack(rows)
