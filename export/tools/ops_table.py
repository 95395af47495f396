"""Which ops the `.tflite` file of each architecture is made of: `python -m export.tools.ops_table`.

The models are small, since the ops depend on the architecture and hardly on the sizes; their
vocabulary is large enough for what only large ones get. The table in docs/device.md is what this
prints (`--write` renews it), and a test compares the two.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from export.tflite.convert import convert
from export.tflite.exporter import lite_module, traced
from export.tflite.ops import operators
from export.tools.page import markdown, write_table
from zoo import models
from zoo.models.base import PresetModel
from zoo.text import Tokenizer

TEXTS = ["the cat is small", "the dog is big", "a small cat looks at the dog", "the cat is big"]
WORDS = 4_100  # enough for the blocks of tflite/softmax and the halved biases of tflite/slim
Makers: TypeAlias = dict[str, Callable[[], PresetModel]]


def architectures() -> Makers:
    """A tiny model of each architecture of the zoo, by the name in the table."""
    many = " ".join(f"w{i}" for i in range(WORDS))
    tokenizer = models.NGramLanguageModel.train([*TEXTS, many], order=1).tokenizer
    return {**counts(tokenizer), **networks(tokenizer), **translators(tokenizer)}


def counts(tokenizer: Tokenizer) -> Makers:
    """N-gram models and their interpolation."""
    train = partial(models.NGramLanguageModel.train, TEXTS, tokenizer=tokenizer)
    return {
        "n-gram, maximum likelihood": partial(train, order=2, smoothing="mle"),
        "n-gram, stupid backoff": partial(train, order=3, smoothing="stupid_backoff"),
        "n-gram, Kneser-Ney": partial(train, order=3),
        "interpolated n-grams": lambda: models.InterpolatedLanguageModel(
            [train(order=1), train(order=2)]
        ),
    }


def networks(tokenizer: Tokenizer) -> Makers:
    """Neural language models, in one direction and in both."""
    recurrent = partial(
        models.RecurrentLanguageModel, tokenizer, units=4, embedding_dim=4, num_layers=2
    )
    bidirectional = partial(
        models.BidirectionalLanguageModel, tokenizer, units=4, embedding_dim=4, num_layers=2
    )
    identity = {"activation": "relu", "recurrent_initializer": "identity"}
    return {
        "feed-forward (NPLM)": partial(
            models.NeuralProbabilisticLanguageModel, tokenizer, window=2, units=4, embedding_dim=4
        ),
        "RNN, sigmoid": partial(recurrent, cell="rnn", cell_options={"activation": "sigmoid"}),
        "RNN, tanh": partial(recurrent, cell="rnn"),
        "IRNN": partial(recurrent, cell="rnn", cell_options=identity),
        "GRU": partial(recurrent, cell="gru"),
        "LSTM": partial(recurrent, cell="lstm"),
        "CIFG, projected and tied": partial(recurrent, cell="cifg", tied=True, num_layers=1),
        "bidirectional": partial(bidirectional, cell="rnn"),
        "bidirectional, deep": partial(bidirectional, cell="lstm", mixing="layers"),
        "tagger, restorer": partial(
            models.BidirectionalTagger,
            tokenizer,
            labels=["O", "B-PER"],
            units=4,
            embedding_dim=4,
        ),
        "classifier": partial(
            models.BidirectionalClassifier,
            tokenizer,
            labels=["de", "en"],
            units=4,
            embedding_dim=4,
        ),
    }


def translators(tokenizer: Tokenizer) -> Makers:
    """Translation models."""
    base = partial(
        models.Seq2Seq, tokenizer, tokenizer, units=4, embedding_dim=4, max_target_length=8
    )
    extended = partial(
        base,
        separate_weights=True,
        feed_context=True,
        num_layers=2,
        bidirectional_encoder=True,
        reverse_source=True,
    )
    return {
        "translation, base form": base,
        "translation, extensions I-V": extended,
        "translation, attention": partial(
            extended, attention="bahdanau", readout_units=4, cell="gru"
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
