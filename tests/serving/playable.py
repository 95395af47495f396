"""A model with every signature that the page knows, whose answers are made up: quick to write."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

WORDS = ["go", "be", "see", "know", "<b>bold</b>", "the", "you", "a", ".", "good"]
TRANSLATIONS = ["Where is the station?", "Where's the station?", "", "", ""]
NO_SCORE = -3.4028235e38


def ranked(text: tf.Tensor) -> dict[str, tf.Tensor]:
    """Ten words, the first one likelier the longer the text."""
    rows = tf.size(text)
    first = 0.2 + 0.001 * tf.cast(tf.strings.length(text), tf.float32)
    rest = tf.constant([[0.1 - 0.01 * i for i in range(1, 10)]])
    return {
        "words": tf.repeat(tf.constant([WORDS]), rows, axis=0),
        "probabilities": tf.concat([first[:, None], tf.repeat(rest, rows, axis=0)], axis=1),
    }


def token_log_probs(text: tf.Tensor) -> dict[str, tf.Tensor]:
    """Words and `<eos>`, each less likely by its length."""
    words = tf.strings.split(text)
    ended = tf.concat([words, tf.fill([tf.size(text), 1], "<eos>")], axis=1).to_tensor("")
    lengths = tf.cast(tf.strings.length(ended), tf.float32)
    return {"tokens": ended, "log_probs": -0.9 * lengths}


def translate(text: tf.Tensor) -> dict[str, tf.Tensor]:
    """Two translations, whatever was asked."""
    rows = tf.size(text)
    scores = tf.constant([[-0.25, -0.75, NO_SCORE, NO_SCORE, NO_SCORE]])
    return {
        "translations": tf.repeat(tf.constant([TRANSLATIONS]), rows, axis=0),
        "scores": tf.repeat(scores, rows, axis=0),
    }


def attention(text: tf.Tensor) -> dict[str, tf.Tensor]:
    """Each word written looks at the word of its place."""
    words = tf.strings.split(text).to_tensor("")
    weights = tf.eye(tf.shape(words)[1], batch_shape=[tf.size(text)])
    return {"source": words, "target": tf.strings.upper(words), "attention": weights}


def write_playable(directory: Path) -> None:
    """Write the SavedModel."""
    functions = {
        "next_word": ranked,
        "fill": lambda text: ranked(text),
        "token_log_probs": token_log_probs,
        "translate": translate,
        "attention": attention,
    }
    spec = tf.TensorSpec([None], tf.string, name="text")
    signatures = {
        name: tf.function(function, autograph=False).get_concrete_function(spec)
        for name, function in functions.items()
    }
    tf.saved_model.save(tf.Module(), str(directory), signatures)
