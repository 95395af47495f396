"""Which ops the `.tflite` file of each architecture is made of: `python -m export.tools.ops_table`.

The models are small, since the ops depend on the architecture and hardly on the sizes; their
vocabulary is large enough for what only large ones get. The table in docs/device.md is what this
prints (`--write` renews it), and a test compares the two.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from export.tflite.convert import convert
from export.tflite.exporter import lite_module, traced
from export.tflite.ops import operators
from export.tools.page import markdown, write_table
from zoo import models

TEXTS = ["the cat is small", "the dog is big", "a small cat looks at the dog", "the cat is big"]
WORDS = 4_100  # enough for the blocks of tflite/softmax and the halved biases of tflite/slim


def architectures() -> dict[str, Callable[[], Any]]:
    """A tiny model of each architecture of the zoo, by the name in the table."""
    many = " ".join(f"w{i}" for i in range(WORDS))
    tokenizer = models.NGramLanguageModel.train([*TEXTS, many], order=1).tokenizer

    def recurrent(**settings: Any) -> Any:
        small = {"units": 4, "embedding_dim": 4, "num_layers": 2}
        return models.RecurrentLanguageModel(tokenizer, **{**small, **settings})

    def bidirectional(**settings: Any) -> Any:
        small = {"units": 4, "embedding_dim": 4, "num_layers": 2}
        return models.BidirectionalLanguageModel(tokenizer, **{**small, **settings})

    def counted(**settings: Any) -> Any:
        return models.NGramLanguageModel.train(TEXTS, tokenizer=tokenizer, **settings)

    def translator(**settings: Any) -> Any:
        small = {"units": 4, "embedding_dim": 4, "max_target_length": 8}
        return models.Seq2Seq(tokenizer, tokenizer, **{**small, **settings})

    def nplm() -> Any:
        return models.NeuralProbabilisticLanguageModel(
            tokenizer, window=2, units=4, embedding_dim=4
        )

    every_extension = {
        "separate_weights": True,
        "feed_context": True,
        "num_layers": 2,
        "bidirectional_encoder": True,
        "reverse_source": True,
    }
    identity = {"activation": "relu", "recurrent_initializer": "identity"}
    return {
        "n-gram, maximum likelihood": lambda: counted(order=2, smoothing="mle"),
        "n-gram, stupid backoff": lambda: counted(order=3, smoothing="stupid_backoff"),
        "n-gram, Kneser-Ney": lambda: counted(order=3),
        "interpolated n-grams": lambda: models.InterpolatedLanguageModel(
            [counted(order=1), counted(order=2)]
        ),
        "feed-forward (NPLM)": nplm,
        "RNN, sigmoid": lambda: recurrent(cell="rnn", cell_options={"activation": "sigmoid"}),
        "RNN, tanh": lambda: recurrent(cell="rnn"),
        "IRNN": lambda: recurrent(cell="rnn", cell_options=identity),
        "GRU": lambda: recurrent(cell="gru"),
        "LSTM": lambda: recurrent(cell="lstm"),
        "CIFG, projected and tied": lambda: recurrent(cell="cifg", tied=True, num_layers=1),
        "bidirectional": lambda: bidirectional(cell="rnn"),
        "bidirectional, deep": lambda: bidirectional(cell="lstm", mixing="layers"),
        "translation, base form": translator,
        "translation, extensions I-V": lambda: translator(**every_extension),
        "translation, attention": lambda: translator(
            **every_extension, attention="bahdanau", readout_units=4, cell="gru"
        ),
    }


def operators_of(name: str, quantize: str = "none") -> list[str]:
    """The ops of one architecture's file; none where it has no such quantisation."""
    lite = lite_module(architectures()[name]())
    if quantize not in lite.quantizations:
        return []
    return operators(convert(lite.resources, traced(lite, quantize), quantize))


def row(name: str) -> dict[str, str]:
    """One architecture: the ops of its float file, and what the one in 8 bits has besides."""
    ops, dynamic = operators_of(name), operators_of(name, "dynamic")
    more = sorted(set(dynamic) - set(ops))
    return {
        "architecture": name,
        "ops": ", ".join(ops),
        "more with `--quantize dynamic`": ", ".join(more) if dynamic else "not offered",
    }


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(prog="python -m export.tools.ops_table")
    parser.add_argument("--write", action="store_true", help="renew the table in docs/device.md")
    options = parser.parse_args()
    rows = []
    for name in architectures():
        print(name, file=sys.stderr)
        rows.append(row(name))
    if options.write:
        write_table("ops", rows)
    else:
        print(markdown(rows))


if __name__ == "__main__":
    main()
