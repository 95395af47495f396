"""Ways to run an LSTM on a device, on one thread: fused op, loops, one step.

    python -m benchmarks.device_recurrence [--units 96,384] [--words 20] [--json] [--write]

Every contestant reads the same word vectors with the same weights and gives the same last hidden
vector, which is compared first. `fused` is UNIDIRECTIONAL_SEQUENCE_LSTM, `Keras` what
`keras.layers.LSTM` becomes (a WHILE), `projected once` the zoo's layer over the whole sequence (a
WHILE behind one product for all words), `steps` a WHILE of the zoo's step that ends after `length`
words, as in `prefill`, and `one step` the cell with its state as input and output, as in `step`.
`--write` puts the table into docs/device.md.
"""

from __future__ import annotations

import argparse
import os
import uuid
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.device import Contestant, microseconds
from benchmarks.timing import report
from export.tflite.convert import convert
from export.tflite.exporter import new_interpreter
from export.tflite.ops import operators
from export.tools.page import write_table
from zoo import layers

Functions = dict[str, Callable[..., dict[str, Any]]]


def fused_lstm() -> Callable[..., Any]:
    """A function that the converter replaces by UNIDIRECTIONAL_SEQUENCE_LSTM.

    It knows it by the attributes; arguments and results are those of TensorFlow's own LSTM. Only
    the first two results may be used: the others are not made.
    """

    def lstm(x: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        outputs = []
        for t in range(x.shape[1]):
            gates = tf.matmul(x[:, t], kernel) + tf.matmul(h, recurrent) + bias
            i, f, memory, o = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(memory)
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        return h, tf.stack(outputs, axis=1), h, c, tf.constant(0.0)

    attributes = {
        "api_implements": f"lstm_{uuid.uuid4()}",
        "api_preferred_device": "CPU",
        "time_major": False,
        "go_backwards": False,
    }
    return tf.function(lstm, experimental_attributes=attributes, autograph=False)


def contestants(layer: Any, stock: Any, words: int) -> tuple[Functions, dict[str, list[Any]]]:
    """The functions by name, and the specs of their inputs."""
    units, fused = layer.units, fused_lstm()

    def fused_run(x: Any) -> dict[str, Any]:
        kernel, recurrent, bias = (tf.convert_to_tensor(w.value) for w in layer.weights)
        zeros = tf.zeros([1, units])
        return {"h": fused(x, zeros, zeros, kernel, recurrent, bias)[1][:, -1]}

    def steps(x: Any, length: Any) -> dict[str, Any]:
        def advance(t: Any, h: Any, c: Any) -> Any:
            return (t + 1, *layer.step(x[:, t], [h, c])[1])

        first = (tf.constant(0), tf.zeros([1, units]), tf.zeros([1, units]))
        return {"h": tf.while_loop(lambda t, *_: t < length[0], advance, first)[1]}

    def one_step(x: Any, h: Any, c: Any) -> dict[str, Any]:
        h, c = layer.step(x[:, 0], [h, c])[1]
        return {"h": h, "c": c}

    whole = tf.TensorSpec([1, words, units], tf.float32, name="x")
    one, length = tf.TensorSpec([1, 1, units], name="x"), tf.TensorSpec([1], tf.int32, "length")
    state = [tf.TensorSpec([1, units], tf.float32, name) for name in ("h", "c")]
    functions: Functions = {
        "fused": fused_run,
        "Keras": lambda x: {"h": stock(x)},
        "projected once": lambda x: {"h": layer(x)[:, -1]},
        "steps": steps,
        "one step": one_step,
    }
    specs = {name: [whole] for name in functions}
    return functions, {**specs, "steps": [whole, length], "one step": [one, *state]}


def measure(units: int, words: int, quantize: str, rounds: int) -> list[dict[str, Any]]:
    """One row a contestant."""
    keras.utils.set_random_seed(1)
    layer = layers.LSTM(units, return_sequences=True)
    stock = keras.layers.LSTM(units)
    x = np.random.default_rng(1).normal(size=(1, words, units)).astype(np.float32)
    layer(x), stock(x)
    stock.set_weights(layer.get_weights())
    resources = [v.value for v in (*layer.weights, *stock.weights)]
    zeros = np.zeros((1, units), np.float32)
    given = {
        "steps": {"x": x, "length": np.array([words], np.int32)},
        "one step": {"x": x[:, :1], "h": zeros, "c": zeros},
    }
    runs, kinds = {}, {}
    functions, specs = contestants(layer, stock, words)
    for name, function in functions.items():
        traced = tf.function(function, autograph=False).get_concrete_function(*specs[name])
        content = convert(resources, {"run": traced}, quantize)
        kinds[name] = operators(content)
        runner = new_interpreter(content).get_signature_runner("run")
        runs[name] = Contestant(runner, given.get(name, {"x": x}))
    check(runs, stock(x).numpy(), quantize)
    times = microseconds({name: run.invoke for name, run in runs.items()}, rounds)
    return [row(units, words, quantize, name, kinds[name], times[name]) for name in runs]


def check(runs: dict[str, Contestant], expected: np.ndarray, quantize: str) -> None:
    """All contestants say the same; this first call also puts their inputs in place."""
    for name, run in runs.items():
        h = run.call()["h"]
        if name != "one step" and np.max(np.abs(h - expected)) > (
            1e-4 if quantize == "none" else 0.1
        ):
            raise AssertionError(f"{name} differs by {np.max(np.abs(h - expected))}")


def row(
    units: int, words: int, quantize: str, name: str, ops: list[str], times: np.ndarray
) -> dict[str, Any]:
    """What one contestant took."""
    found = [op for op in ("UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE") if op in ops]
    count = 1 if name == "one step" else words
    return {
        "units": units,
        "quantize": quantize,
        "way": name,
        "loop": found[0] if found else "none",
        "words": count,
        "median_us": round(float(np.median(times)), 1),
        "us_a_word": round(float(np.median(times)) / count, 2),
    }


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device_recurrence")
    parser.add_argument("--units", default="96,384")
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="renew the table in docs/device.md")
    options = parser.parse_args()
    rows = [
        row
        for units in map(int, options.units.split(","))
        for quantize in ("none", "dynamic")
        for row in measure(units, options.words, quantize, options.rounds)
    ]
    report(rows, options.json)
    if options.write:
        write_table("recurrences", rows)


if __name__ == "__main__":
    main()
