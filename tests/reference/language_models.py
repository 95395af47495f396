"""The neural language models in plain NumPy: one sentence, one word at a time, in float64.

Written from [4] (Bengio's network), [5]-[6] (recurrent), [17]-[22] (bidirectional: words for a
blank, labels for words and texts); the functions take matrices from a model and nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tests.reference import seq2seq
from tests.reference.cells import STEPS, Parameters

Array = np.ndarray
BOS, EOS = 2, 3


def array(weight: Any) -> Array:
    return np.asarray(weight).astype(np.float64)


def log_softmax(logits: Array) -> Array:
    logits = logits - logits.max()
    return logits - np.log(np.exp(logits).sum())


def output(model: Any, hidden: Array) -> Array:
    """[6]: log softmax(W^(S) h), with a bias where the model has one, or a mixture of such."""
    layer, mixture = model.output_projection, model.mixture
    bias = 0 if layer.bias is None else array(layer.bias)
    if mixture is None:
        return log_softmax(hidden @ array(layer.kernel) + bias)
    flat = np.tanh(hidden @ array(mixture.kernel) + array(mixture.bias))
    shares = np.exp(log_softmax(hidden @ array(mixture.shares_kernel)))
    each = zip(shares, np.split(flat, len(shares)), strict=True)  # Yang et al. 2018
    kernel = array(layer.kernel)
    return np.log(sum(share * np.exp(log_softmax(h @ kernel + bias)) for share, h in each))


def cell_of(model: Any) -> Any:
    """The step of the model's cell; the plain RNN's with its activation."""
    settings = model.settings
    if settings.cell != "rnn":
        return STEPS[settings.cell]
    return partial(STEPS["rnn"], activation=settings.cell_options.get("activation", "tanh"))


def parameters(cell: str, layer: Any) -> Parameters:
    p = seq2seq.parameters(cell, layer.kernel, layer)
    if getattr(layer, "projection_kernel", None) is not None:
        p.projection = array(layer.projection_kernel)
    return p


def first_state(layer: Any) -> tuple[Array, ...]:
    """h_0: zeros, or the learnt vector."""
    learnt = {w.name: array(w) for w in layer.weights if w.name.startswith("initial_")}
    return tuple(
        learnt.get(f"initial_{name}", np.zeros(size))
        for name, size in zip(layer.state_names, layer.state_size, strict=True)
    )


def read(model: Any, layer: Any, xs: list[Array]) -> list[Array]:
    """[5]: h_1 ... h_T of one layer over its inputs."""
    p, state, outputs = parameters(model.settings.cell, layer), first_state(layer), []
    for x in xs:
        state, _ = cell_of(model)(p, x, state)
        outputs.append(state[0])
    return outputs


def recurrent_loss(model: Any, ids: list[int]) -> float:
    """-log P of `<bos>` ids `<eos>` by [5], [6]; residual layers add to what they read."""
    xs = [array(model.embedding.embeddings)[i] for i in (BOS, *ids)]
    for i, layer in enumerate(model.recurrent_layers):
        added = xs if i and model.settings.residual else [0.0] * len(xs)
        xs = [x + h for x, h in zip(added, read(model, layer, xs), strict=True)]
    return -sum(output(model, h)[i] for h, i in zip(xs, (*ids, EOS), strict=True))


def nplm_loss(model: Any, ids: list[int]) -> float:
    """-log P by [4]: softmax(W2 tanh(W1 x + b1) + W3 x + b3) over the words before."""
    window, embeddings = model.settings.window, array(model.embedding.embeddings)
    layer, seen, total = model.hidden_layer, [BOS] * window, 0.0
    kernel, bias = array(model.output_projection.kernel), array(model.output_projection.bias)
    units = model.settings.units
    for target in (*ids, EOS):
        x = np.concatenate([embeddings[i] for i in seen[-window:]])
        logits = np.tanh(x @ array(layer.kernel) + array(layer.bias)) @ kernel[:units] + bias
        if model.settings.direct:
            logits = logits + x @ kernel[units:]
        total -= log_softmax(logits)[target]
        seen.append(target)
    return total


def cached_log_probs(
    model: Any, hidden: Array, log_probs: Array, words: list[int]
) -> tuple[Array, Array]:
    """log p of the words of a running text with a continuous cache, one word at a time.

    Args:
        hidden: h_1 ... h_T, one before each word.
        log_probs: log p_vocab of each word.

    Returns:
        log p of each word, and the cache's own distribution after the last h.
    """
    values, shares = [], np.zeros(model.tokenizer.vocabulary_size)
    for t, h in enumerate(hidden):
        kept = range(max(0, t - model.window), t)  # pairs (h_i, word after it)
        shares = np.zeros(model.tokenizer.vocabulary_size)
        for i in kept:
            shares[words[i]] += np.exp(model.theta * (h @ hidden[i]))
        weight = model.weight if len(kept) else 0.0
        shares /= shares.sum() or 1.0
        mixed = (1 - weight) * np.exp(log_probs[t]) + weight * shares[words[t]]
        values.append(np.log(mixed))
    return np.array(values), shares


def cloze_loss(model: Any, ids: list[int]) -> float:
    """-Σ log P(w_t | all the other words)."""
    words = (BOS, *ids, EOS)
    at = at_blank_mixed if model.settings.mixing == "layers" else at_blank_apart
    return -sum(at(model, words, t)[words[t]] for t in range(1, len(words) - 1))


def at_blank_apart(model: Any, words: tuple[int, ...], blank: int) -> Array:
    """[17]-[19] with the directions shifted: only the words before and the words after."""
    embeddings = array(model.embedding.embeddings)
    past = [embeddings[i] for i in words[:blank]]
    future = [embeddings[i] for i in words[:blank:-1]]  # the last word first
    for forward, backward in zip(model.forward_layers, model.backward_layers, strict=True):
        past, future = read(model, forward, past), read(model, backward, future)
    return output(model, read_out(model, np.concatenate([past[-1], future[-1]])))


def read_out(model: Any, both: Array) -> Array:
    """P [→h; ←h] of a tied model."""
    return both if model.readout is None else both @ array(model.readout.kernel)


def at_blank_mixed(model: Any, words: tuple[int, ...], blank: int) -> Array:
    """[20]-[22]: each layer reads both directions below; the blank has a vector of its own."""
    xs = [array(model.embedding.embeddings)[i] for i in words]
    xs[blank] = array(model.blank_vector)
    for forward, backward in zip(model.forward_layers, model.backward_layers, strict=True):
        past, future = read(model, forward, xs), read(model, backward, xs[::-1])[::-1]
        xs = [np.concatenate(pair) for pair in zip(past, future, strict=True)]
    return output(model, read_out(model, xs[blank]))


def label_loss(model: Any, ids: list[int]) -> float:
    """-Σ log P(label of w_t) [19] [22], or -log P(label of the text); a word's is its id mod L."""
    hidden, count = in_context(model, (BOS, *ids, EOS)), len(model.settings.labels)
    pooling = getattr(model.settings, "pooling", None)
    if pooling is None:
        return -sum(output(model, h)[i % count] for h, i in zip(hidden[1:-1], ids, strict=True))
    if pooling in ("mean", "max"):
        text = getattr(np, pooling)(hidden, axis=0)
    else:
        units = model.settings.units
        text = np.concatenate([hidden[-1][:units], hidden[0][units:]])
    return -output(model, text)[ids[0] % count]


def in_context(model: Any, words: tuple[int, ...]) -> list[Array]:
    """[→h_t; ←h_t] of each word: [17]-[18], or [20]-[21] where directions mix."""
    past = future = [array(model.embedding.embeddings)[i] for i in words]
    for forward, backward in zip(model.forward_layers, model.backward_layers, strict=True):
        past, future = read(model, forward, past), read(model, backward, future[::-1])[::-1]
        both = [np.concatenate(pair) for pair in zip(past, future, strict=True)]
        if model.settings.mixing == "layers":
            past = future = both
    return both


def translation_loss(model: Any, source: list[int], target: list[int]) -> float:
    """-log P(target | source) by [23]-[27]."""
    rows = seq2seq.log_probs(model, source, [BOS, *target])
    return -sum(row[i] for row, i in zip(rows, (*target, EOS), strict=True))
