"""docs/architectures.md from the code: equations, parameter formulas, memory by corpus size.

    python -m benchmarks.architectures [--data-dir DIR] [--json]

Equations are those at the top of each file. Parameter formulas are checked against the models'
own counts by the tests. With --data-dir the memory of a recurrent and of n-gram models is measured
on growing parts of Tatoeba English (kept in docs/memory.json, drawn in docs/images/memory.png).
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import memory as windows
from benchmarks.parameter_counts import (
    base_translation_count,
    bidirectional_count,
    label_count,
    nplm_count,
    recurrent_count,
)

DOCS = Path(__file__).parents[1] / "docs"
RECORD, PICTURE = DOCS / "memory.json", DOCS / "images" / "memory.png"
PARTS = (5_000, 10_000, 20_000, 40_000, 80_000, 160_000)


@dataclass(frozen=True)
class Card:
    """An architecture: the file with its equations, and its number of parameters."""

    name: str
    module: str
    formula: str
    count: Callable[..., int]
    memory: str
    figures: tuple[int, ...] = ()


CARDS = (
    Card(
        "n-gram models",
        "zoo.models.ngram",
        "one probability, and one backoff weight below the highest order, for each n-gram seen",
        lambda: 0,
        "grows with the corpus: each new sentence brings n-grams not seen before",
    ),
    Card(
        "Neural probabilistic language model",
        "zoo.models.nplm",
        "V D + n D H + H + V H + V, and V n D for W3 where it is used",
        nplm_count,
        "does not depend on the corpus; linear in V and in the window n",
        figures=(1,),
    ),
    Card(
        "Recurrent language model",
        "zoo.models.recurrent",
        "V D + V H + V + Σ_layers g (D_l H + H² + H), with g = 1 (RNN), 3 (GRU, and 3 H more for "
        "its second bias), 3 (CIFG), 4 (LSTM); tied: no V H, and the last layer has D units",
        recurrent_count,
        "does not depend on the corpus; linear in V, quadratic in H; the state is H numbers (LSTM, "
        "CIFG: 2 H) however long the text",
        figures=(2, 3, 4),
    ),
    Card(
        "Bidirectional and deep bidirectional models",
        "zoo.models.bidirectional",
        "V D + 2 H V + V + 2 Σ_layers g (D_l H + H² + H); D_l = H above the first layer "
        '(mixing="top") or 2 H and D more for the blank\'s vector (mixing="layers")',
        bidirectional_count,
        "does not depend on the corpus",
        figures=(6, 7),
    ),
    Card(
        "Bidirectional taggers and classifiers",
        "zoo.models.bidirectional_labels",
        "V D + 2 H L + L + 2 Σ_layers g (D_l H + H² + H) for L labels; D_l = H above the first "
        'layer (mixing="top") or 2 H (mixing="layers")',
        label_count,
        "does not depend on the corpus",
    ),
    Card(
        "Encoder-decoder translation and its extensions",
        "zoo.models.seq2seq.model",
        "base form: V_s D + g (D H + H² + H) + V_t H + V_t; I adds a recurrent matrix and biases, "
        "II target word vectors and an input matrix, III a level each, IV the other direction and "
        "the bridges, V nothing",
        base_translation_count,
        "does not depend on the corpus; attention keeps the source's T vectors while it translates",
        figures=(8, 9),
    ),
    Card(
        "Interpolation",
        "zoo.models.interpolated",
        "those of its parts, and one weight a part",
        lambda: 0,
        "that of its parts",
    ),
)
CELL_FILES: dict[str, tuple[int, ...]] = {
    "simple_rnn": (3,),
    "gru": (10,),
    "lstm": (11,),
    "cifg": (),
}
GATE_TEXT = "i do not know where tom lives , but mary knows ."


def measured(data_dir: str) -> list[dict[str, Any]]:
    """Bytes of float32 parameters or tables after training on growing parts of one corpus."""
    from training.datasets import load
    from zoo.models import NGramLanguageModel
    from zoo.text import WordTokenizer

    sentences = load("tatoeba_en", data_dir).train
    words = WordTokenizer.train(sentences, size=10_000)
    neural = 4 * recurrent_count(words.vocabulary_size, 192, 384, 2, "lstm", True)
    rows = []
    for part in PARTS:
        row: dict[str, Any] = {"sentences": part, "lstm_tatoeba_en": neural}
        for order in (2, 3, 5):
            model = NGramLanguageModel.train(sentences[:part], order, tokenizer=words)
            row[f"{order}-gram"] = model.tables.bytes
        rows.append(row)
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Memory over corpus size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6))
    for name in (key for key in rows[0] if key != "sentences"):
        axes.plot(
            [row["sentences"] for row in rows], [row[name] / 1e6 for row in rows], "o-", label=name
        )
    axes.set(xlabel="sentences of training text", ylabel="MB in memory", xscale="log")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=90)


def equations(module: str) -> str:
    """The text at the top of a file."""
    text = importlib.import_module(module).__doc__ or ""
    return f"```\n{text.strip()}\n```"


def page(rows: list[dict[str, Any]]) -> str:
    """docs/architectures.md."""
    lines = [
        "# Architectures",
        "",
        "Made by `python -m benchmarks.architectures` from the files named; V is the vocabulary, "
        "D the word vectors' size, H the hidden state's.",
        "",
    ]
    for card in CARDS:
        source = card.module.replace(".", "/") + ".py"
        lines += [f"## {card.name}", "", f"[{source}](../{source})", "", equations(card.module), ""]
        lines += [f"Parameters: {card.formula}.", "", f"Memory: {card.memory}.", ""]
        lines += drawings(card.figures)
    lines += ["## Cells", ""]
    for name, figures in CELL_FILES.items():
        source = f"zoo/layers/{name}.py"
        lines += [f"[{source}](../{source})", "", equations(f"zoo.layers.{name}"), ""]
        lines += [*drawings(figures), *gates_seen(name)]
    lines += ["## Memory and the size of the corpus", "", *memory(rows), ""]
    lines += ["## Memory and the window", "", *windows.section(windows.recorded()), ""]
    return "\n".join(lines)


def drawings(figures: tuple[int, ...]) -> list[str]:
    """The notes' figures, as `python -m benchmarks.figures` draws them."""
    if not figures:
        return []
    pictures = [f"![Figure {n} of the notes](figures/figure_{n}.svg)" for n in figures]
    return ["\n".join(pictures), ""]


def gates_seen(cell: str) -> list[str]:
    """A preset's gates over a sentence, for a cell that has gates."""
    picture = f"images/gates_{cell}.png"
    if not (DOCS / picture).is_file():
        return []
    command = f'zoo inspect {cell}_tatoeba_en "{GATE_TEXT}" --out gates.png'
    return ["What they do in a sentence (the units whose state changes most):", "",
            f"    {command}", "", f"![Gates of {cell}_tatoeba_en]({picture})", ""]  # fmt: skip


def memory(rows: list[dict[str, Any]]) -> list[str]:
    """The measured table and its picture."""
    names = [key for key in rows[0] if key != "sentences"]
    table = [f"| sentences | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        cells = " | ".join(f"{row[name] / 1e6:.1f} MB" for name in names)
        table.append(f"| {row['sentences']:,} | {cells} |")
    return [
        "A recurrent model's memory does not grow with the corpus, an n-gram model's does "
        "(section 1 of the notes). Measured on the first sentences of Tatoeba English with one "
        "vocabulary of 10,000 words; float32 parameters against unpruned Kneser–Ney tables:",
        "",
        *table,
        "",
        "![Memory over corpus size](images/memory.png)",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="measure the memory anew on this folder's Tatoeba")
    parser.add_argument("--json", action="store_true", help="print the measured rows")
    options = parser.parse_args()
    if options.data_dir:
        RECORD.write_text(json.dumps(measured(options.data_dir), indent=1) + "\n")
    rows = json.loads(RECORD.read_text())
    draw(rows, PICTURE)
    (DOCS / "architectures.md").write_text(page(rows), encoding="utf-8")
    if options.json:
        print("\n".join(map(json.dumps, rows)))


if __name__ == "__main__":
    main()
