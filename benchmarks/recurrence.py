"""One training step of a recurrent layer: ours, `keras.layers` and PyTorch in turns.

    python -m benchmarks.recurrence [--cells lstm,gru,rnn] [--sizes 32x35x256,...] [--rounds 15]
                                    [--profile] [--plot FILE] [--json]

A step is the outputs of the whole sequence and the gradients for the input and every weight, in
float32, inside one tf.function. A size is batch x time x units. Ratios are medians over the rounds
of the other's wall time over ours, with quartiles.

`peak_share` is the step's arithmetic (six products for each weight's part of it) over our median
time, as a share of the matrix-product peak measured in the same run; `limit_NAME` is the ratio to
NAME of a step that would do its products at that peak and everything else in no time at all.
`--profile` measures the pieces of the step, see benchmarks/recurrence_profile.py.

PyTorch is no dependency of the project; without it only Keras is compared. Into an environment of
its own, beside the project's:

    python -m venv --system-site-packages TORCH && TORCH/bin/pip install torch==2.13.0
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.recurrence_profile import profile
from benchmarks.timing import compared, in_turns, matrix_peak_gflops, plot_ratios, report
from zoo.layers import make_recurrent
from zoo.processors import usable_cores

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
STOCK = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
SIZES = "32x35x256,20x35x650,64x50x512,128x20x256"
COLUMNS = {
    "cell": "cell",
    "batch x time x units": "size",
    "ms": "zoo_wall_ms",
    "Keras ms": "keras_wall_ms",
    "PyTorch ms": "pytorch_wall_ms",
    "x Keras": "x_keras",
    "limit": "limit_keras",
    "x PyTorch": "x_pytorch",
    "limit ": "limit_pytorch",
    "share of peak": "peak_share",
}


PROFILE_COLUMNS = {
    "step": "profile",
    "input": "input",
    "forward loop": "forward",
    "its products": "forward_products",
    "backward loop": "backward",
    "its products ": "backward_products",
    "kernels' gradients": "kernels",
    "input's gradient": "input_gradient",
    "axes": "axes",
    "sum": "sum",
}


def tensorflow_step(layer: Any, x: Any, d_y: Any) -> Callable[[], Any]:
    layer.build(x.shape)
    variables = [v.value for v in layer.trainable_variables]

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) * d_y)
        return tape.gradient(loss, [x, *variables])

    return lambda: step(x)[-1].numpy()


def torch_step(cell: str, x: np.ndarray, d_y: np.ndarray) -> Callable[[], Any] | None:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(usable_cores())
    make = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    layer = make(x.shape[-1], d_y.shape[-1], batch_first=True)
    inputs, upstream = torch.tensor(x, requires_grad=True), torch.tensor(d_y)

    def step() -> Any:
        layer.zero_grad()
        inputs.grad = None
        (layer(inputs)[0] * upstream).sum().backward()

    return step


def measure(cell: str, size: tuple[int, int, int], rounds: int, peak: float) -> dict[str, Any]:
    """One row: medians and the two ratios."""
    batch, time, units = size
    rng = np.random.default_rng(0)
    x, d_y = (rng.normal(size=(batch, time, units)).astype("float32") for _ in range(2))
    tensors = tf.constant(x), tf.constant(d_y)
    contestants = {
        "zoo": tensorflow_step(make_recurrent(cell, units, return_sequences=True), *tensors),
        "keras": tensorflow_step(STOCK[cell](units, return_sequences=True), *tensors),
    }
    torch = torch_step(cell, x, d_y)
    if torch:
        contestants["pytorch"] = torch
    result = in_turns(contestants, rounds)
    gflop = 3 * 2 * 2 * batch * time * units * GATES[cell] * units / 1e9
    row: dict[str, Any] = {"cell": cell, "size": "x".join(map(str, size))}
    row |= compared(result, "zoo")
    for name in set(result) - {"zoo"}:
        row[f"limit_{name}"] = round(result[name]["wall_ms"] / (gflop / peak * 1e3), 2)
    row["peak_gflops"] = round(peak, 1)
    row["peak_share"] = round(gflop / row["zoo_wall_ms"] * 1e3 / peak, 3)
    row["peak_share_best"] = round(gflop / row["zoo_wall_ms_best"] * 1e3 / peak, 3)
    return row


def size_of(text: str) -> tuple[int, int, int]:
    """Batch, time and units from for example 32x35x256."""
    batch, time, units = map(int, text.split("x"))
    return batch, time, units


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", default="lstm,gru,rnn")
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", help="write a picture of the ratios here")
    options = parser.parse_args(arguments)
    sizes = [size_of(text) for text in options.sizes.split(",")]
    peak = matrix_peak_gflops()
    rows = []
    for cell in options.cells.split(","):
        for size in sizes:
            rows.append(measure(cell, size, options.rounds, peak))
            if options.json:
                report(rows[-1:], True)
    if not options.json:
        report(rows, False, COLUMNS)
    if options.profile:
        report(
            [profile(row["cell"], size_of(row["size"]), options.rounds) for row in rows],
            options.json,
            PROFILE_COLUMNS,
        )
    if options.plot:
        named = [row | {"name": f"{row['cell']} {row['size']}"} for row in rows]
        plot_ratios(named, "name", options.plot)


if __name__ == "__main__":
    main()
