"""The step of a whole language model: embedding, two layers, softmax, clipping, Adam."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.gpu.recipes import run_config
from benchmarks.gpu.timing import (
    Contestant,
    in_turns,
    row_of,
    torch_device,
    wait_for_jax,
    wait_for_torch,
)

if TYPE_CHECKING:
    from benchmarks.gpu.__main__ import Job


class Size(NamedTuple):
    """Of a model and its batches."""

    batch: int
    time: int
    units: int
    layers: int
    words: int


SIZES = (Size(64, 35, 650, 2, 10_000), Size(80, 70, 1150, 3, 33_000), Size(32, 35, 256, 2, 10_000))
NO_DROPOUT = ("dropout", "input_dropout", "hidden_dropout", "embedding_dropout", "weight_drop")
DROPOUTS = dict.fromkeys(NO_DROPOUT, 0.0)
DTYPES = ("float32", "bfloat16")
TINY = (Size(2, 3, 4, 1, 12),)


def run(job: Job, end: float) -> None:
    """A row for each size that no earlier call has, until the time is over."""
    done, rounds = job.measured("language_model"), (1, 1) if job.tiny else (10, 5)
    for size in TINY if job.tiny else SIZES:
        for dtype in DTYPES[1:] if job.tiny else DTYPES:
            name = f"{size.layers}x{size.units} {size.words} {size.batch}x{size.time} {dtype}"
            if name in done or time.monotonic() >= end:
                continue
            row = row_of(name, in_turns(contestants(size, dtype), *rounds))
            tokens = size.batch * size.time
            job.record("language_model", {**row, "tokens_per_second": tokens / row["zoo_ms"] * 1e3})


def contestants(size: Size, dtype: str) -> dict[str, Contestant]:
    """Ours as `zoo train` steps it, stock Keras by `train_on_batch`, PyTorch by hand."""
    found = {"zoo": zoo_step(size, dtype), "keras": keras_step(size, dtype)}
    device = torch_device()
    if device is not None:
        found["torch"] = torch_step(size, dtype, device)
    return found


def words(size: Size) -> tuple[np.ndarray, np.ndarray]:
    shape = (size.batch, size.time + 1)
    ids = np.random.default_rng(0).integers(0, size.words, shape).astype("int32")
    return ids[:, :-1], ids[:, 1:]


def zoo_step(size: Size, dtype: str) -> Contestant:
    """The step that `zoo train` makes."""
    from training.datasets import Corpus
    from training.run.loop import Run
    from training.tasks.language_model import LanguageModelTask

    text = [" ".join(f"w{i}" for i in range(size.words - 4))]
    changes = {
        "data": {"tokenizer": "whitespace", "vocabulary_size": size.words, "max_length": 9},
        "model": {
            **DROPOUTS,
            "units": size.units,
            "embedding_dim": size.units,
            "num_layers": size.layers,
            "residual": False,
            "tied": False,
        },
        "training": {
            "batch_size": size.batch,
            "stream": False,
            "precision": "float32" if dtype == "float32" else "mixed_bfloat16",
            "softmax": "exact",
            "softmax_dtype": dtype,
            "random_time_steps": False,
            "activation_l2": 0.0,
            "slowness_l2": 0.0,
            "optimizer": {"clip_norm": 1.0},
        },
    }
    config = run_config("flagship_ptb", changes)
    task = LanguageModelTask(config, Corpus("step", text, text, text))
    steps = Run(config, task, Path("step")).steps
    x, y = words(size)
    weights = np.ones(x.shape, "float32")
    batch = steps.place({"inputs": x, "targets": y, "weights": weights})
    return (lambda: steps(batch, 1e-3)), wait_for_jax


def keras_step(size: Size, dtype: str) -> Contestant:
    """Stock layers with `compile` and `train_on_batch`, the step that `fit` runs."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if dtype == "float32" else "mixed_bfloat16")
    try:
        stack = [keras.layers.LSTM(size.units, return_sequences=True) for _ in range(size.layers)]
        model = keras.Sequential(
            [
                keras.Input((size.time,), size.batch, dtype="int32"),
                keras.layers.Embedding(size.words, size.units),
                *stack,
                keras.layers.Dense(size.words, dtype="float32"),
            ]
        )
    finally:
        keras.config.set_dtype_policy(before)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(global_clipnorm=1.0), loss)
    x, y = words(size)
    return (lambda: model.train_on_batch(x, y)), wait_for_jax


def torch_step(size: Size, dtype: str, device: Any) -> Contestant:
    """cuDNN's LSTM under autocast where bfloat16 is asked for."""
    import torch

    x, y = (torch.tensor(ids, dtype=torch.long, device=device) for ids in words(size))
    embedding = torch.nn.Embedding(size.words, size.units).to(device)
    recurrent = torch.nn.LSTM(size.units, size.units, size.layers, batch_first=True).to(device)
    output = torch.nn.Linear(size.units, size.words).to(device)
    parameters = [p for m in (embedding, recurrent, output) for p in m.parameters()]
    optimizer = torch.optim.Adam(parameters)
    narrow = dtype == "bfloat16"

    def step() -> Any:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=narrow):
            logits = output(recurrent(embedding(x))[0])
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), y.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss

    return step, wait_for_torch
