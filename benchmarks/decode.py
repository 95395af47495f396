"""One next-word step at batch 1: the loaded model, `keras.Model.predict`, the bare products.

    python -m benchmarks.decode [--rounds 30] [--plot FILE] [--json]

The model is an embedding, two LSTM layers and a softmax over the vocabulary, saved and loaded by
`zoo.load`. Its `step` is one graph call a word with the state in hand, so its cost does not depend
on how much text came before (`step_at_word_200`); stock Keras layers with the same weights run
over the text so far (10 words). The bare products are the step's matrix products and nothing else,
in one graph call. `generate` is a whole text in one graph call, per word.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import zoo
from benchmarks.stock_keras import stock_model
from benchmarks.timing import compared, in_turns, plot_ratios, report

CONTEXT, GENERATED = 10, 50
COLUMNS = {
    "model": "model",
    "step ms": "step_wall_ms",
    "at word 200": "step_at_word_200_wall_ms",
    "products ms": "products_wall_ms",
    "predict ms": "keras_predict_wall_ms",
    "generate ms a word": "generate_ms_a_word",
    "x predict": "x_keras_predict",
    "step / products": "over_products",
}


def loaded_model(vocabulary: int, units: int, layers: int) -> Any:
    """A language model of random weights as `zoo.load` gives it."""
    words = zoo.text.WordTokenizer.train(f"word{i}" for i in range(vocabulary - 4))
    model = zoo.models.RecurrentLanguageModel(
        words, units=units, embedding_dim=units, num_layers=layers
    )
    with tempfile.TemporaryDirectory() as folder:
        model.save_to_preset(f"{folder}/model")
        return zoo.load(f"{folder}/model")


def bare_products(model: Any, units: int) -> Any:
    """The products of one step on a constant input."""
    kernels = [(r.kernel.value, r.recurrent_kernel.value) for r in model.recurrent_layers]
    matrix = model.output_projection.own_kernel.value
    h = tf.random.normal((1, units))

    @tf.function
    def run(h: Any) -> list[Any]:
        products = [tf.matmul(h, k) for pair in kernels for k in pair]
        return [*products, tf.matmul(h, matrix)]

    return lambda: run(h)[-1].numpy()


def stepper(model: Any, words: int) -> Any:
    """The step after `words` words."""
    state, word = model.initial_state(1), np.array([5], "int32")
    for _ in range(words):
        state = model.step(word, state)[1]
    return lambda: np.asarray(model.step(word, state)[0])


def measure(size: tuple[int, int, int], rounds: int) -> dict[str, Any]:
    """One row of the report."""
    model = loaded_model(*size)
    stock, text = stock_model(model, CONTEXT), np.full((1, CONTEXT), 5, "int32")
    contestants = {
        "step": stepper(model, 1),
        "step_at_word_200": stepper(model, 200),
        "products": bare_products(model, size[1]),
        "keras_predict": lambda: stock.predict(text, verbose=0),
        "generate": lambda: model.generate(
            "word1", sampler=zoo.TopP(0.9), max_words=GENERATED, seed=1
        ),
    }
    result = in_turns(contestants, rounds, warm_up=10)
    row = {"model": "x".join(map(str, size)), **compared(result, "step")}
    row["over_products"] = round(1 / row["x_products"], 2)
    row["over_products_low"] = round(1 / row["x_products_high"], 2)
    row["over_products_high"] = round(1 / row["x_products_low"], 2)
    row["growth_by_word_200"] = row["x_step_at_word_200"]
    row["generate_ms_a_word"] = round(row["generate_wall_ms"] / GENERATED, 3)
    return row


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", help="write a picture of the ratios here")
    options = parser.parse_args(arguments)
    row = measure((options.vocabulary, options.units, options.layers), options.rounds)
    report([row], options.json, COLUMNS)
    if options.plot:
        plot_ratios([row], "model", options.plot, ("x_keras_predict", "x_products"))


if __name__ == "__main__":
    main()
