"""One training step of a whole language model: ours, stock Keras with its own fit step, PyTorch.

    python -m benchmarks.language_model [--rounds 10] [--memory] [--plot FILE] [--json]

Embedding, two LSTM layers, softmax over the vocabulary, gradient clipping by global norm, Adam;
float32, random words. Ours uses `zoo.layers.LSTM`, `zoo.layers.blocked_softmax_loss` and the Adam
of `zoo train`; the stock model uses `keras.layers.LSTM`, `Dense` and
`SparseCategoricalCrossentropy`. With `--memory`, each contestant runs alone in a process of its
own and what it adds to its memory is reported, imports left out. PyTorch is no dependency of the
project: see benchmarks/recurrence.py.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.timing import compared, in_turns, plot_ratios, report
from zoo.processors import usable_cores

BATCH, TIME, UNITS, VOCABULARY, LAYERS = 32, 35, 256, 10_000, 2
COLUMNS = {
    "model": "model",
    "ms": "zoo_wall_ms",
    "Keras ms": "keras_wall_ms",
    "PyTorch ms": "pytorch_wall_ms",
    "x Keras": "x_keras",
    "x PyTorch": "x_pytorch",
    "peak MB": "zoo_peak_mb",
    "Keras MB": "keras_peak_mb",
    "PyTorch MB": "pytorch_peak_mb",
}


def words() -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (BATCH, TIME + 1)).astype("int32")
    return ids[:, :-1], ids[:, 1:]


def zoo_step() -> Callable[[], Any]:
    """Ours: a Keras model whose training step ends in the blocked loss."""
    import keras
    import tensorflow as tf

    from training.run.optimizers import OnePassAdam
    from zoo.layers import LSTM, VocabularyOutput, blocked_softmax_loss

    x, y = (tf.constant(ids) for ids in words())
    embedding = keras.layers.Embedding(VOCABULARY, UNITS)
    recurrent = [LSTM(UNITS, return_sequences=True) for _ in range(LAYERS)]
    output = VocabularyOutput(VOCABULARY)
    inputs = keras.Input((TIME,), BATCH, dtype="int32")
    hidden = embedding(inputs)
    for layer in recurrent:
        hidden = layer(hidden)
    body = keras.Model(inputs, hidden)
    output.build(hidden.shape)
    variables = [*body.trainable_variables, *output.trainable_variables]
    optimizer = OnePassAdam(global_clipnorm=1.0)
    optimizer.build(variables)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            nats = blocked_softmax_loss(body(x, training=True), output.kernel, output.bias, y)
            loss = nats / (BATCH * TIME)
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    return lambda: float(step(x, y))


def keras_step() -> Callable[[], Any]:
    """Stock: compile and train_on_batch, the step that fit runs."""
    import keras

    x, y = words()
    stack = [keras.layers.LSTM(UNITS, return_sequences=True) for _ in range(LAYERS)]
    model = keras.Sequential(
        [
            keras.Input((TIME,), BATCH, dtype="int32"),
            keras.layers.Embedding(VOCABULARY, UNITS),
            *stack,
            keras.layers.Dense(VOCABULARY),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(global_clipnorm=1.0), loss)
    return lambda: model.train_on_batch(x, y)


def torch_step() -> Callable[[], Any]:
    import torch

    torch.set_num_threads(usable_cores())
    x, y = (torch.tensor(ids, dtype=torch.long) for ids in words())
    embedding = torch.nn.Embedding(VOCABULARY, UNITS)
    recurrent = torch.nn.LSTM(UNITS, UNITS, LAYERS, batch_first=True)
    output = torch.nn.Linear(UNITS, VOCABULARY)
    parameters = [p for m in (embedding, recurrent, output) for p in m.parameters()]
    optimizer = torch.optim.Adam(parameters)

    def step() -> float:
        optimizer.zero_grad()
        logits = output(recurrent(embedding(x))[0])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return float(loss)

    return step


IMPORTS = {
    "zoo": ("training.run.optimizers", "zoo.models"),
    "keras": ("keras",),
    "pytorch": ("torch",),
}
MAKERS = {"zoo": zoo_step, "keras": keras_step, "pytorch": torch_step}


def peak_memory_mb(name: str) -> float:
    """What ten steps of one contestant add to the memory of a process with everything imported."""
    command = [sys.executable, "-m", "benchmarks.language_model", "--alone", name]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(out.split()[-1])


def run_alone(name: str) -> None:
    for module in IMPORTS[name]:
        importlib.import_module(module)
    before = resident_mb("VmRSS")
    step = MAKERS[name]()
    for _ in range(10):
        step()
    print(f"{resident_mb('VmHWM') - before:.1f}")


def resident_mb(field: str) -> float:
    """A figure of this process alone; getrusage's maximum is inherited from the parent."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", help="write a picture of the ratios here")
    parser.add_argument("--alone", choices=list(MAKERS), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        run_alone(options.alone)
        return
    result = in_turns({name: make() for name, make in MAKERS.items()}, options.rounds)
    size = f"{LAYERS}x{UNITS} LSTM, {VOCABULARY} words, {BATCH}x{TIME}"
    row: dict[str, Any] = {"model": size, **compared(result, "zoo")}
    if options.memory:
        row |= {f"{name}_peak_mb": peak_memory_mb(name) for name in MAKERS}
    report([row], options.json, COLUMNS)
    if options.plot:
        plot_ratios([row], "model", options.plot)


if __name__ == "__main__":
    main()
