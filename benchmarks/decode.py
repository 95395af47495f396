"""One next-word step at batch 1: ours with cached state, `keras.Model.predict`, the bare products.

    python -m benchmarks.decode [--json]

The model is an embedding, two LSTM layers and a softmax over the vocabulary. Ours is one
tf.function call of `layer.step` per word with the state in hand, so its cost does not depend on
how much text came before (`step_at_word_N`); stock Keras runs the layers over the text so far.
The bare products are the step's matrix products and nothing else, in one tf.function.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import in_turns, report
from zoo.layers import LSTM, VocabularyOutput


class NextWord:
    """The step of a language model over explicit states."""

    def __init__(self, vocabulary: int, units: int, layers: int) -> None:
        self.embedding = keras.layers.Embedding(vocabulary, units)
        self.recurrent = [LSTM(units) for _ in range(layers)]
        self.output = VocabularyOutput(vocabulary)
        self.embedding.build()
        for layer in self.recurrent:
            layer.build((None, None, units))
        self.output.build((None, units))
        self.step = tf.function(self._step)

    def initial_state(self) -> list[list[Any]]:
        return [layer.get_initial_state(1) for layer in self.recurrent]

    def _step(self, word: Any, states: list[list[Any]]) -> tuple[Any, list[list[Any]]]:
        h, new_states = self.embedding(word), []
        for layer, state in zip(self.recurrent, states, strict=True):
            h, new = layer.step(h, state)
            new_states.append(new)
        return tf.nn.log_softmax(self.output(h)), new_states


def bare_products(model: NextWord) -> Any:
    """The products of one step on constant inputs."""
    kernels = [(r.kernel.value, r.recurrent_kernel.value) for r in model.recurrent]
    matrix = model.output.own_kernel.value

    @tf.function
    def run(h: Any) -> list[Any]:
        products = [tf.matmul(h, k) for pair in kernels for k in pair]
        return [*products, tf.matmul(h, matrix)]

    return run


def stock_model(vocabulary: int, units: int, layers: int) -> keras.Model:
    stack = [keras.layers.LSTM(units, return_sequences=True) for _ in range(layers - 1)]
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(vocabulary, units),
            *stack,
            keras.layers.LSTM(units),
            keras.layers.Dense(vocabulary, activation="softmax"),
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    size = options.vocabulary, options.units, options.layers
    model, stock = NextWord(*size), stock_model(*size)
    products, h = bare_products(model), tf.random.normal((1, options.units))
    word, text = tf.constant([5]), np.full((1, 10), 5, "int32")
    early = model.initial_state()
    late = early
    for _ in range(200):
        late = model.step(word, late)[1]
    contestants = {
        "step": lambda: model.step(word, early)[0].numpy(),
        "step_at_word_200": lambda: model.step(word, late)[0].numpy(),
        "products": lambda: products(h)[-1].numpy(),
        "keras_predict": lambda: stock.predict(text, verbose=0),
    }
    result = in_turns(contestants, options.rounds, warm_up=10)
    row: dict[str, Any] = {"model": "x".join(map(str, size))}
    for name, values in result.items():
        row |= {f"{name}_{key}": value for key, value in values.items()}
    step = result["step"]["wall_ms"]
    row["x_keras_predict"] = round(result["keras_predict"]["wall_ms"] / step, 1)
    row["over_products"] = round(step / result["products"]["wall_ms"], 2)
    row["growth_by_word_200"] = round(result["step_at_word_200"]["wall_ms"] / step, 2)
    report([row], options.json)


if __name__ == "__main__":
    main()
