"""One word on a device: our `step` against the file that TensorFlow's converter makes.

    python -m benchmarks.device [PRESET_OR_DIR] [--quantize dynamic] [--json] [--write]

The converter's file is the same model, weights included, built of stock Keras layers over 20 words
of context (benchmarks/stock_keras.py), with the same kind of quantisation in the converter's
default settings. A keyboard asks after each word: ours carries the state and takes one step, the
other one reads its 20 words again. `prefill` is ours over the same 20 words at once, `prefill with
a mask` another way to make it, which was not taken. All on one thread, in turns, so that a busy
machine slows all alike; what they answer is compared first.

`median_us` and `p99_us` are of the interpreter's invocation, the inputs in place, as an app calls
it; `call_us` is the median of a whole call from Python, most of which is Python's. `x_stock` and
`x_stock_call` say how many times longer the converter's file takes, by either.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import zoo
from benchmarks.stock_keras import stock_model
from benchmarks.timing import report
from export.saved_model.graph import variables_of
from export.tflite.check import sampled_sentences
from export.tflite.convert import convert
from export.tflite.exporter import export_tflite, new_interpreter
from export.tflite.module import LENGTH, padded_row
from export.tflite.softmax import device_softmax
from export.tools.page import write_table
from zoo.models.language_model import SPECIALS
from zoo.text import BOS

WORDS = 20
Run = Callable[[], Any]
STOCK, MASKED = "stock Keras, 20 words", "prefill with a mask"


@dataclass(frozen=True)
class Contestant:
    """A signature with its inputs."""

    runner: Any
    feeds: dict[str, np.ndarray]

    def call(self) -> dict[str, np.ndarray]:
        """A whole call from Python: copies in, invocation, copies out."""
        return dict(self.runner(**self.feeds))

    def invoke(self) -> None:
        """The invocation alone, on the inputs of the last call."""
        self.runner._interpreter_wrapper.Invoke(self.runner._subgraph_index)


def converted(model: Any, quantize: str) -> bytes:
    """What TensorFlow's converter makes of a Keras model in its default settings."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with contextlib.redirect_stdout(sys.stderr):  # it announces its temporary files
        return bytes(converter.convert())


def stock_run(content: bytes, ids: np.ndarray) -> Contestant:
    """The converter's file over the whole context."""
    runner = new_interpreter(content).get_signature_runner()  # as ours is called
    (entry,) = runner.get_input_details()
    return Contestant(runner, {entry: ids})


def our_runs(content: bytes, ids: np.ndarray) -> dict[str, Contestant]:
    """`step` after a context, and `prefill` of the context."""
    interpreter = new_interpreter(content)
    step = interpreter.get_signature_runner("step")
    prefill = interpreter.get_signature_runner("prefill")
    buffer = np.zeros(prefill.get_input_details()["ids"]["shape"], np.int32)
    buffer[:, : ids.shape[1]] = ids
    length = np.array([ids.shape[1]], np.int32)
    before = prefill(ids=buffer, length=length - 1)
    state = {name: value for name, value in before.items() if name.startswith("state_")}
    return {
        "step": Contestant(step, {"token_id": ids[:, -1], **state}),
        "prefill": Contestant(prefill, {"ids": buffer, "length": length}),
    }


def masked_run(model: Any, quantize: str, ids: np.ndarray) -> Contestant:
    """The other lowering of `prefill`: the layers over the whole buffer with a mask."""

    def prefill(ids: Any, length: Any) -> Any:
        return {"log_probs": model.next_log_probs_graph(ids, length)}

    specs = [
        tf.TensorSpec([1, LENGTH], tf.int32, name="ids"),
        tf.TensorSpec([1], tf.int32, name="length"),
    ]
    with device_softmax(model, quantize):
        functions = {"prefill": tf.function(prefill).get_concrete_function(*specs)}
    content = convert(variables_of(model), functions, quantize)
    runner = new_interpreter(content).get_signature_runner("prefill")
    return Contestant(runner, padded_row(ids[0].tolist(), LENGTH))


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
    ids = np.array([[BOS, *sampled_sentences(model, words=WORDS, longest=WORDS)[0]]], np.int32)
    ids = np.resize(ids, (1, WORDS))
    with tempfile.TemporaryDirectory() as directory:
        exported = export_tflite(model, Path(directory), quantize)
        ours = exported.path.read_bytes()
    theirs = converted(stock_model(model, WORDS), quantize)
    contestants = {**our_runs(ours, ids), STOCK: stock_run(theirs, ids)}
    (probabilities,) = contestants[STOCK].call().values()
    best = int(probabilities[0, len(SPECIALS) :].argmax()) + len(SPECIALS)
    same = best in contestants["step"].call()["ids"][0, :3]
    print(f"file against model: {exported.check}; same first word: {same}", file=sys.stderr)
    sizes = {"step": len(ours), "prefill": len(ours), STOCK: len(theirs)}
    masked = {MASKED: masked_run(model, quantize, ids)}  # alone: it would empty the others' caches
    calls = timed(contestants, "call", rounds) | timed(masked, "call", rounds // 10)
    invoked = timed(contestants, "invoke", rounds) | timed(masked, "invoke", rounds // 10)
    return [
        {
            "what": name,
            "quantize": quantize,
            "bytes": sizes.get(name),
            "median_us": round(float(np.median(values)), 1),
            "p99_us": round(float(np.percentile(values, 99)), 1),
            "call_us": round(float(np.median(calls[name])), 1),
            "call_p99_us": round(float(np.percentile(calls[name], 99)), 1),
            "x_stock": round(float(np.median(invoked[STOCK]) / np.median(values)), 2),
            "x_stock_call": round(float(np.median(calls[STOCK]) / np.median(calls[name])), 2),
        }
        for name, values in invoked.items()
    ]


def timed(contestants: dict[str, Contestant], what: str, rounds: int) -> dict[str, np.ndarray]:
    """Times of each contestant's `call` or `invoke`."""
    return microseconds({name: getattr(one, what) for name, one in contestants.items()}, rounds)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument("preset", nargs="?", default="cifg_tatoeba_en")
    parser.add_argument("--quantize", default="dynamic", choices=["none", "float16", "dynamic"])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="renew the table in docs/device.md")
    options = parser.parse_args()
    found = rows(zoo.load(options.preset), options.quantize, options.rounds)
    report(found, options.json)
    if options.write:
        write_table("speed", found)


if __name__ == "__main__":
    main()
