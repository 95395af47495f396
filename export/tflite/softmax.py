"""The end of every signature, softmax and best words, as the ops that run fastest on a device.

TensorFlow Lite runs LOG_SOFTMAX and TOPK_V2 one number at a time: over 10,000 words they took
three quarters of a keyboard's step. Here the softmax's sum is made of ops that XNNPACK runs
vectorised, and TOPK_V2 looks at the best blocks of words alone (docs/device.md, "Measured").
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import tensorflow as tf

from export.saved_model.graph import Tensors, keras_models
from zoo.models.base import PresetModel
from zoo.models.keras_model import KerasModel
from zoo.models.language_model import SPECIALS

TOP = 10
BLOCK = 98
FEWEST_FOR_BLOCKS = 2_000
LOWEST = tf.float32.min


def log_softmax(logits: tf.Tensor) -> tf.Tensor:
    """The same as `tf.nn.log_softmax`, over the last axis.

    Maximum and logarithm are added before they are taken away: what takes them away one after the
    other is recognised by the converter and made one LOG_SOFTMAX again.
    """
    largest = tf.reduce_max(logits, axis=-1, keepdims=True)
    total = tf.reduce_sum(tf.exp(logits - largest), axis=-1, keepdims=True)
    return logits - (largest + tf.math.log(total))


@contextlib.contextmanager
def device_softmax(model: PresetModel, quantize: str) -> Iterator[None]:
    """While it lasts, what is traced of this model ends in `log_softmax` from here.

    Not for "int8": in 8 bits LOG_SOFTMAX is better, whose sum is not rounded to 8 bits. Nor for a
    mixture of softmaxes, which has several.
    """
    every = [] if quantize == "int8" else keras_models(model)
    wrapped = [part for part in every if part.mixture is None]
    for part in wrapped:  # past Keras, which would take a new attribute for the model's own
        part.__dict__["log_softmax"] = partial(device_log_softmax, part)
    try:
        yield
    finally:
        for part in wrapped:
            part.__dict__.pop("log_softmax", None)


def device_log_softmax(
    model: KerasModel, hidden: tf.Tensor, kernel: tf.Tensor | None = None
) -> tf.Tensor:
    """`KerasModel.log_softmax` of ops that are fast on a device."""
    # Not with the `kernel` given: the converter quantises the weights themselves only.
    return log_softmax(tf.cast(model.output_projection(hidden), tf.float32))


def top_words(log_probs: tf.Tensor, first: int = len(SPECIALS)) -> Tensors:
    """The likeliest words of a distribution [1, vocabulary].

    Args:
        log_probs: the distribution.
        first: lowest id that is offered. Control tokens are the first ids and not offered; EOS,
            the last of them, may be.
    """
    words = log_probs[:, first:]
    if words.shape[1] >= FEWEST_FOR_BLOCKS:
        values, best = top_of_blocks(words)
    else:
        values, best = tf.math.top_k(words, k=min(TOP, words.shape[1]))
    return {"ids": best + first, "log_probs": values}


def top_of_blocks(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`tf.math.top_k` of [1, n] with k = TOP, equal values in the order of their places.

    `zoo.decoding.selection.top_k` for one row, without what many rows need: with that one in its
    place the keyboard's file is 1.7 kB larger, and over 1.5 MB.

    The TOP best numbers lie in the TOP blocks with the best maxima. Those blocks are put in the
    order of their places, so that of equal numbers the first is found, as everywhere.
    """
    count = -(-values.shape[1] // BLOCK)
    missing = count * BLOCK - values.shape[1]
    if missing:  # the converter writes -inf as LOWEST, and padding must not be above any word
        values = tf.maximum(values, LOWEST)
        values = tf.pad(values, [[0, 0], [0, missing]], constant_values=LOWEST)
    blocks = tf.reshape(values, [count, BLOCK])
    _, best = tf.math.top_k(tf.reduce_max(blocks, axis=1), k=TOP)
    chosen = -tf.math.top_k(-best, k=TOP)[0]  # ascending
    candidates = tf.reshape(tf.gather(blocks, chosen), [1, TOP * BLOCK])
    found, places = tf.math.top_k(candidates, k=TOP)
    return found, tf.gather(chosen, places // BLOCK) * BLOCK + places % BLOCK
