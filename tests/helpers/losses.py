"""Loss and gradients of a small model on fixed texts, on whichever backend Keras runs.

    KERAS_BACKEND=jax python -m tests.helpers.losses FOLDER OUT.npz NAME,... NAME,...

loads the first presets of a folder, as a user's fresh process would, and writes the loss and the
gradients of each; the second ones are asked for answers too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

import zoo
from zoo.text import BOS, EOS
from zoo.text.padding import pad

ENGLISH = ["the cat is small at home.", "she looks", "tom was very old in the garden."]
GERMAN = ["die Katze ist klein zu Hause.", "sie sieht", "Tom war sehr alt im Garten."]


def loss(model: Any, rows: Sequence[int] = (0, 1, 2)) -> Any:
    """-log P of the chosen texts in one padded batch, in nats."""
    if hasattr(model, "fill"):
        return cloze_loss(model, rows)
    if hasattr(model, "labels"):
        return label_loss(model, rows)
    if hasattr(model, "translate"):
        return translation_loss(model, rows)
    inputs, targets, counted = padded([model.tokenizer.encode(ENGLISH[i]) for i in rows])
    hidden, _ = model.features(inputs, model.initial_state(len(rows)), counted)
    return summed(model.cross_entropy(hidden, targets), counted)


def padded(rows: list[list[int]]) -> tuple[Any, Any, Any]:
    """Inputs, targets and which of the targets count."""
    inputs, lengths = pad([[BOS, *ids] for ids in rows])
    targets, _ = pad([[*ids, EOS] for ids in rows])
    return inputs, targets, np.arange(inputs.shape[1])[None, :] < lengths[:, None]


def summed(values: Any, counted: Any) -> Any:
    dtype = keras.backend.result_type(values.dtype, "float32")
    return ops.sum(ops.cast(values, dtype) * ops.convert_to_tensor(counted, dtype))


def cloze_loss(model: Any, rows: Sequence[int]) -> Any:
    """Each word hidden once: one row of the batch a word."""
    texts = [model.tokenizer.encode(ENGLISH[i]) for i in rows]
    copies = [(ids, t) for ids in texts for t in range(1, len(ids) + 1)]
    words, lengths = pad([[BOS, *ids, EOS] for ids, _ in copies])
    blanks = np.arange(words.shape[1])[None, :] == np.array([t for _, t in copies])[:, None]
    mask = np.arange(words.shape[1])[None, :] < lengths[:, None]
    hidden = model.features(words, blanks, mask)
    return summed(model.cross_entropy(hidden, words), blanks)


def label_loss(model: Any, rows: Sequence[int]) -> Any:
    """A made-up label for each word, or that of the first word for each text."""
    words, lengths = pad([[BOS, *model.tokenizer.encode(ENGLISH[i]), EOS] for i in rows])
    mask = np.arange(words.shape[1])[None, :] < lengths[:, None]
    hidden, targets = model.features(words, mask), words % len(model.labels)
    if hasattr(model, "classify"):
        return summed(model.cross_entropy(hidden, targets[:, 1]), np.ones(len(rows)))
    counted = mask & (words != BOS) & (words != EOS)
    return summed(model.cross_entropy(hidden, targets), counted)


def translation_loss(model: Any, rows: Sequence[int]) -> Any:
    source = model.source_rows([GERMAN[i] for i in rows])
    inputs, targets, counted = padded([model.target_tokenizer.encode(ENGLISH[i]) for i in rows])
    hidden = model.features(model.encode(source), inputs)
    return summed(model.cross_entropy(hidden, targets), counted)


def loss_and_gradients(
    model: Any, rows: Sequence[int] = (0, 1, 2)
) -> tuple[float, list[np.ndarray]]:
    """The loss, and its gradient for every trainable weight; counted models have none."""
    if not hasattr(model, "trainable_weights"):
        texts = [ENGLISH[i] for i in rows]
        return -sum(score.log_prob for score in model.score(texts)), []
    if keras.backend.backend() == "jax":
        return with_jax(model, rows)
    import tensorflow as tf

    variables = [weight.value for weight in model.trainable_weights]
    with tf.GradientTape() as tape:
        value = loss(model, rows)
    gradients = tape.gradient(value, variables, unconnected_gradients="zero")
    return float(value), [tf.convert_to_tensor(g).numpy() for g in gradients]


def with_jax(model: Any, rows: Sequence[int]) -> tuple[float, list[np.ndarray]]:
    import jax

    def of_values(values: list[Any]) -> Any:
        pairs = zip(model.trainable_weights, values, strict=True)
        with keras.StatelessScope(state_mapping=list(pairs)):
            return loss(model, rows)

    value, gradients = jax.jit(jax.value_and_grad(of_values))(
        [weight.value for weight in model.trainable_weights]
    )
    return float(value), [np.asarray(g) for g in gradients]


def answers(model: Any) -> np.ndarray:
    """Figures of what a user asks: of words to fill in, translations, or next words and scores."""
    if hasattr(model, "fill"):
        return np.array([p for _, p in model.fill(["the ___ is small"], k=3)[0]])
    if hasattr(model, "classify"):
        return np.array([p for _, p in model.classify(ENGLISH[:1])[0]])
    if hasattr(model, "tag"):
        return np.array([word.probability for word in model.tag(ENGLISH[:1])[0]])
    if hasattr(model, "translate"):
        return np.array([score for _, score in model.translate(GERMAN[1:2], beam=2)[0]])
    words = [p for _, p in model.next_words(ENGLISH[1:2], k=3)[0]]
    return np.array([*words, model.score(ENGLISH[1:2])[0].log_prob])


def main(folder: str, target: str, names: str, asked: str) -> None:
    results = {}
    for name in names.split(","):
        model = zoo.load(Path(folder) / name)
        value, gradients = loss_and_gradients(model)
        results[name] = np.array(value)
        if name in asked.split(","):
            results[f"{name}/answers"] = answers(model)
        results |= {f"{name}/{i}": gradient for i, gradient in enumerate(gradients)}
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
