"""Which ops the `.tflite` file of each architecture is made of: `python -m export.tflite_ops`.

The models are tiny, since the ops depend on the architecture and not on the sizes. The table in
docs/on-device.md is what this prints (`--write` renews it), and a test compares the two.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

PAGE = Path(__file__).parents[1] / "docs" / "on-device.md"
BEGIN, END = "<!-- ops: begin -->", "<!-- ops: end -->"
TEXTS = ["the cat is small", "the dog is big", "a small cat looks at the dog", "the cat is big"]
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

    tokenizer = models.NGramLanguageModel.train(TEXTS, order=1).tokenizer

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


def operators_of(name: str) -> list[str]:
    """The ops of one architecture's file, which is checked as every export is."""
    from export import tflite

    with tempfile.TemporaryDirectory() as directory:
        report = tflite.export(architectures()[name](), directory, texts=TEXTS[:1])
        return operators(report.path.read_bytes())


def table(rows: dict[str, list[str]]) -> str:
    """Lines of a Markdown table."""
    lines = ["| architecture | ops |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {', '.join(ops)} |" for name, ops in rows.items())])


def table_of_page(page: Path = PAGE) -> dict[str, list[str]]:
    """The table as it stands in the page."""
    between = page.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    cells = [line.strip("| ").split(" | ") for line in between.strip().splitlines()[2:]]
    return {name: ops.split(", ") for name, ops in cells}


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(prog="python -m export.tflite_ops")
    parser.add_argument("--write", action="store_true", help=f"renew {PAGE.name}")
    options = parser.parse_args()
    rows = {}
    for name in architectures():
        print(name, file=sys.stderr)
        rows[name] = operators_of(name)
    if not options.write:
        print(table(rows))
        return
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
