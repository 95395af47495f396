"""Which ops the `.tflite` file of each architecture is made of: `python -m export.tflite.ops`.

The models are small, since the ops depend on the architecture and hardly on the sizes; their
vocabulary is large enough for what only large ones get. The table in docs/device.md is what this
prints (`--write` renews it), and a test compares the two.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from export.tools.page import markdown, write_table
from zoo.errors import ZooError

TEXTS = ["the cat is small", "the dog is big", "a small cat looks at the dog", "the cat is big"]
WORDS = 4_100  # enough for tflite_softmax's blocks and tflite_slim's halved biases
NAMES = {
    number: name
    for name, number in vars(schema.BuiltinOperator).items()
    if not name.startswith("_")
}


def operators(content: bytes) -> list[str]:
    """Names of a file's ops, sorted; a custom or Flex op comes as `CUSTOM:name`."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = set()
    for code in model.operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = code.customCode.decode() if code.customCode else ""
        names.add(f"CUSTOM:{custom}" if number == schema.BuiltinOperator.CUSTOM else NAMES[number])
    return sorted(names)


def architectures() -> dict[str, Callable[[], Any]]:
    """A tiny model of each architecture of the zoo, by the name in the table."""
    from zoo import models

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


def refuse_other_ops(content: bytes) -> None:
    """Raise where a file needs more than the built-in ops."""
    others = [name for name in operators(content) if name.startswith("CUSTOM:") or "FLEX" in name]
    if others:
        raise ZooError(f"the file would need {', '.join(others)}, which is no built-in op")


def operators_of(name: str, quantize: str = "none") -> list[str]:
    """The ops of one architecture's file; none where it has no such quantisation."""
    from export.tflite import convert, softmax
    from export.tflite import exporter as tflite

    lite = tflite.lite_module(architectures()[name]())
    if quantize not in lite.quantizations:
        return []
    with softmax.ending(quantize):
        functions = lite.signatures()
    return operators(convert.convert(lite.resources, functions, quantize))


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
    parser = argparse.ArgumentParser(prog="python -m export.tflite.ops")
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
