"""One word on a device: our `step` against the file that TensorFlow's converter makes.

    python -m benchmarks.device [PRESET_OR_DIR] [--quantize dynamic] [--json]

The converter's file is the same model, weights included, built of stock Keras layers over 20 words
of context (benchmarks/stock_keras.py), with the same kind of quantisation in the converter's
default settings. A keyboard asks after each word: ours carries the state and takes one step, the
other one reads its 20 words again. `prefill` is ours over the same 20 words at once. All on one
thread, in turns, so that a busy machine slows all alike; what they answer is compared first.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import zoo
from benchmarks.stock_keras import stock_model
from benchmarks.timing import report
from export import tflite
from export.tflite_check import drawn_sentences
from export.tflite_signatures import LiteLanguageModel
from zoo.text import BOS

WORDS = 20
Run = Callable[[], Any]


def converted(model: Any, quantize: str) -> bytes:
    """What TensorFlow's converter makes of a Keras model in its default settings."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with contextlib.redirect_stdout(sys.stderr):  # it announces its temporary files
        return bytes(converter.convert())


def stock_run(content: bytes, ids: np.ndarray) -> Run:
    """One invocation of the converter's file over the whole context."""
    runner = tflite.loaded(content).get_signature_runner()  # as ours is called
    (entry,), (answer,) = runner.get_input_details(), runner.get_output_details()
    return lambda: runner(**{entry: ids})[answer]


def our_runs(content: bytes, ids: np.ndarray) -> dict[str, Run]:
    """`step` after a context, and `prefill` of the context."""
    interpreter = tflite.loaded(content)
    step = interpreter.get_signature_runner("step")
    prefill = interpreter.get_signature_runner("prefill")
    buffer = np.zeros(prefill.get_input_details()["ids"]["shape"], np.int32)
    buffer[:, : ids.shape[1]] = ids
    length = np.array([ids.shape[1]], np.int32)
    before = prefill(ids=buffer, length=length - 1)
    state = {name: value for name, value in before.items() if name.startswith("state_")}
    token = ids[:, -1]
    return {
        "step": lambda: step(token_id=token, **state),
        "prefill": lambda: prefill(ids=buffer, length=length),
    }


def masked_run(model: Any, quantize: str, ids: np.ndarray) -> Run:
    """The other lowering of `prefill`: the layers over the whole buffer with a mask."""
    lite = LiteLanguageModel(model, model, [v.value for v in model.variables])

    def prefill(ids: Any, length: Any) -> Any:
        return {"log_probs": model.next_log_probs_graph(ids, length)}

    specs = [
        tf.TensorSpec([1, lite.length], tf.int32, name="ids"),
        tf.TensorSpec([1], tf.int32, name="length"),
    ]
    functions = {"prefill": tf.function(prefill).get_concrete_function(*specs)}
    content = tflite.tflite_convert.convert(lite.resources, functions, quantize)
    runner = tflite.loaded(content).get_signature_runner("prefill")
    feeds = lite.feeds(ids[0].tolist())
    return lambda: runner(**feeds)


def microseconds(runs: dict[str, Run], rounds: int) -> dict[str, np.ndarray]:
    """Times of each, in turns; [rounds] a name."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        for _ in range(10):
            run()
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - started) * 1e6)
    return {name: np.array(values) for name, values in times.items()}


def rows(model: Any, quantize: str, rounds: int) -> list[dict[str, Any]]:
    """One row a contestant."""
    ids = np.array([[BOS, *drawn_sentences(model, words=WORDS, longest=WORDS)[0]]], np.int32)
    ids = np.resize(ids, (1, WORDS))
    with tempfile.TemporaryDirectory() as directory:
        exported = tflite.export(model, Path(directory), quantize)
        ours = exported.path.read_bytes()
    theirs = converted(stock_model(model, WORDS), quantize)
    runs = {**our_runs(ours, ids), "stock Keras, 20 words": stock_run(theirs, ids)}
    best = int(runs["stock Keras, 20 words"]()[0, 4:].argmax()) + 4
    answers = runs["step"]()["ids"][0].tolist()
    runs["prefill with a mask"] = masked_run(model, quantize, ids)
    sizes = {"step": len(ours), "prefill": len(ours), "stock Keras, 20 words": len(theirs)}
    times = microseconds(runs, rounds)
    stock = np.median(times["stock Keras, 20 words"])
    return [
        {
            "what": name,
            "quantize": quantize,
            "bytes": sizes.get(name),
            "median_us": round(float(np.median(values)), 1),
            "p99_us": round(float(np.percentile(values, 99)), 1),
            "x_stock": round(float(stock / np.median(values)), 2),
            "same_first_word": best in answers[:3] if name == "step" else None,
        }
        for name, values in times.items()
    ] + [{"what": "check", "quantize": quantize, "file against model": str(exported.check)}]


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument("preset", nargs="?", default="cifg_tatoeba_en")
    parser.add_argument("--quantize", default="dynamic", choices=["none", "float16", "dynamic"])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report(rows(zoo.load(options.preset), options.quantize, options.rounds), options.json)


if __name__ == "__main__":
    main()
