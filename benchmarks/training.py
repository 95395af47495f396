"""Tokens a second of whole `zoo train` runs: ours, PyTorch and stock Keras on the same batches.

    python -m benchmarks.training [--configs lstm_tatoeba_en,lstm_ptb,seq2seq_tatoeba_de_en]
                                  [--limit SENTENCES] [--data-dir DIR] [--json]

Each contestant trains two epochs on the batches that the config makes, and the second one is timed,
without validation. Ours is the run that `zoo train` makes. The others have an embedding, as many
recurrent layers of the same sizes, a softmax over the vocabulary, clipping and Adam: the shapes of
the config's model without its dropout; of a translator, an encoder and a decoder that starts from
the encoder's last state, without attention, which is less work than ours does. PyTorch is no
dependency of the project: without it only Keras is compared (see benchmarks/recurrence.py).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.timing import report
from training.config import read_run_config
from training.run.fit import make_run
from training.run.loop import Run
from zoo.processors import usable_cores

CONFIGS = "lstm_tatoeba_en,lstm_ptb,seq2seq_tatoeba_de_en"
COLUMNS = {
    "config": "config",
    "zoo tokens/s": "zoo_tokens_per_second",
    "Keras": "keras_tokens_per_second",
    "PyTorch": "torch_float32_tokens_per_second",
    "PyTorch bfloat16": "torch_bfloat16_tokens_per_second",
    "x Keras": "x_keras",
    "x PyTorch": "x_torch_float32",
    "x PyTorch bfloat16": "x_torch_bfloat16",
}
Batch = dict[str, np.ndarray]
Step = Callable[[Batch], Any]


class Shape(NamedTuple):
    """What a plain model of the same sizes needs to know."""

    cell: str
    units: int
    layers: int
    width: int  # of the word vectors
    words: int  # that it predicts
    sources: int  # that its encoder reads; 0: it has none
    clip_norm: float | None


def shape_of(run: Run) -> Shape:
    """The sizes of a run's model."""
    settings, model = run.task.model.settings, run.task.model
    source = getattr(model, "source_tokenizer", None)
    return Shape(
        settings.cell,
        settings.units,
        settings.num_layers,
        settings.embedding_dim,
        model.output_projection.vocabulary_size,
        source.vocabulary_size if source is not None else 0,
        run.config.training.optimizer.clip_norm,
    )


def zoo_epoch(run: Run) -> float:
    """Seconds of the second epoch's steps, as `zoo train` takes them."""
    run.pass_over_data()
    run.state.next_epoch()
    run.pass_over_data()
    return run.state.epoch_seconds


def timed(step: Step, epochs: Callable[[int], Iterable[Batch]]) -> float:
    """Seconds of the second of two epochs."""
    for epoch in range(2):
        started = time.perf_counter()
        for batch in epochs(epoch):
            step(batch)
    return time.perf_counter() - started


def keras_step(shape: Shape) -> Step:
    """Stock layers, compiled, by `train_on_batch`: the step that `fit` runs."""
    import keras

    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
    make = kind[shape.cell]
    inputs = {"inputs": keras.Input((None,), dtype="int32", name="inputs")}
    state: Any = None
    if shape.sources:
        inputs["source"] = keras.Input((None,), dtype="int32", name="source")
        hidden = keras.layers.Embedding(shape.sources, shape.width)(inputs["source"])
        _, *state = make(shape.units, return_state=True)(hidden)
    hidden = keras.layers.Embedding(shape.words, shape.width)(inputs["inputs"])
    for _ in range(shape.layers):
        hidden = make(shape.units, return_sequences=True)(hidden, initial_state=state)
    model = keras.Model(inputs, keras.layers.Dense(shape.words)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(global_clipnorm=shape.clip_norm), loss)

    def step(batch: Batch) -> Any:
        given = {name: batch[name] for name in inputs}
        return model.train_on_batch(given, batch["targets"], sample_weight=batch["weights"])

    return step


def torch_step(shape: Shape, narrow: bool) -> Step:
    """`torch.nn` by hand, under bfloat16's autocast where it is `narrow`."""
    import torch

    torch.set_num_threads(usable_cores())
    kinds = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
    make = kinds[shape.cell]
    words = torch.nn.Embedding(shape.words, shape.width)
    decoder = make(shape.width, shape.units, shape.layers, batch_first=True)
    output = torch.nn.Linear(shape.units, shape.words)
    modules: list[Any] = [words, decoder, output]
    if shape.sources:
        sources = torch.nn.Embedding(shape.sources, shape.width)
        encoder = make(shape.width, shape.units, shape.layers, batch_first=True)
        modules += [sources, encoder]
    parameters = [p for module in modules for p in module.parameters()]
    optimizer = torch.optim.Adam(parameters)

    def step(batch: Batch) -> float:
        ids = {name: torch.from_numpy(batch[name]).long() for name in ("inputs", "targets")}
        weights = torch.from_numpy(batch["weights"])
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            state = None
            if shape.sources:
                state = encoder(sources(torch.from_numpy(batch["source"]).long()))[1]
            logits = output(decoder(words(ids["inputs"]), state)[0])
        nats = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), ids["targets"].flatten(), reduction="none"
        )
        loss = (nats * weights.flatten()).sum() / weights.sum().clamp(min=1)
        loss.backward()
        if shape.clip_norm:
            torch.nn.utils.clip_grad_norm_(parameters, shape.clip_norm)
        optimizer.step()
        return float(loss)

    return step


def contestants(shape: Shape) -> dict[str, Callable[[], Step]]:
    """The others that can be imported."""
    found: dict[str, Callable[[], Step]] = {"keras": lambda: keras_step(shape)}
    try:
        import torch  # noqa: F401
    except ImportError:
        return found
    return found | {
        "torch_float32": lambda: torch_step(shape, False),
        "torch_bfloat16": lambda: torch_step(shape, True),
    }


def measured(name: str, limit: int | None, data_dir: str | None) -> dict[str, Any]:
    """One config's row."""
    changes = ["training.gradient_flow_every=0", f"data.limit={limit or 'null'}"]
    config = read_run_config(name, changes)
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(config, data_dir, Path(folder) / "out")
        seconds = {"zoo": zoo_epoch(run)}
        for other, make in contestants(shape_of(run)).items():
            seconds[other] = timed(make(), run.task.batches)
        tokens = sum(int(batch["weights"].sum()) for batch in run.task.batches(1))
    row: dict[str, Any] = {"config": name, "tokens": tokens}
    row |= {f"{k}_tokens_per_second": round(tokens / s) for k, s in seconds.items()}
    return row | {f"x_{k}": round(s / seconds["zoo"], 2) for k, s in seconds.items() if k != "zoo"}


def main(arguments: list[str] | None = None) -> None:
    """Measure the configs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--configs", default=CONFIGS)
    parser.add_argument("--limit", type=int, default=20_000, help="sentences; 0: all")
    parser.add_argument("--data-dir", help="folder with the corpora")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = [measured(n, options.limit, options.data_dir) for n in options.configs.split(",")]
    report(rows, options.json, COLUMNS)


if __name__ == "__main__":
    main()
