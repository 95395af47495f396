"""Memory over the window n: tables of n-grams beside networks.

    python -m benchmarks.memory [--data-dir DIR] [--json]

"In all conventional language models, the memory requirements of the system grows exponentially with
the window size n" (section 1 of the notes). With --data-dir, n-gram models of n = 1 to 6 are
counted on two corpora (kept in docs/memory_window.json, drawn in docs/images/memory_window.png);
docs/architectures.md shows them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.parameter_counts import nplm_count, recurrent_count

DOCS = Path(__file__).parents[1] / "docs"
RECORD, PICTURE = DOCS / "memory_window.json", DOCS / "images" / "memory_window.png"
ORDERS = range(1, 7)
# Corpus -> how its text is cut, and D, H of the recurrent network of that corpus (rnn_CORPUS).
CORPORA: dict[str, tuple[dict[str, Any], int, int]] = {
    "tatoeba_en": ({"tokenizer": "words", "vocabulary_size": 10_000}, 216, 216),
    "ptb": ({"tokenizer": "whitespace"}, 400, 400),
}
NPLM_SIZES = (100, 200)  # D and H of Bengio's network, without W3
FLOAT = 4  # bytes


def measured(data_dir: str) -> list[dict[str, Any]]:
    """One row a corpus and n: bytes in memory of float32 tables and parameters."""
    from training.datasets import load
    from zoo.models import NGramLanguageModel

    rows = []
    for corpus, (cut, d, h) in CORPORA.items():
        sentences = load(corpus, data_dir).train
        for n in ORDERS:
            model = NGramLanguageModel.train(sentences, n, **cut)
            words = model.tokenizer.vocabulary_size
            row = {"data": corpus, "n": n, "words": words, "all_possible": float(words) ** n}
            row["n_grams"] = sum(len(level) for level in model.tables.levels)
            row["table_bytes"] = model.tables.bytes
            row["nplm_bytes"] = FLOAT * nplm_count(words, *NPLM_SIZES, n, False)
            row["rnn_bytes"] = FLOAT * recurrent_count(words, d, h, 1, "rnn", True)
            rows.append(row)
    return rows


def recorded() -> list[dict[str, Any]]:
    """The rows that were measured last."""
    rows: list[dict[str, Any]] = json.loads(RECORD.read_text())
    return rows


def of_corpus(rows: Sequence[dict[str, Any]], corpus: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["data"] == corpus]


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Bytes over n, a picture a corpus."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    kinds = (("table of all word sequences, V^n", "all", "k:"), ("n-grams seen", "table", "C1s-"),
             ("Bengio's network, window n", "nplm", "C2^-"), ("RNN", "rnn", "C0o-"))  # fmt: skip
    for axes, corpus in zip(figure.subplots(1, 2, sharey=True), CORPORA, strict=True):
        part = of_corpus(rows, corpus)
        for label, kind, style in kinds:
            values = [
                FLOAT * row["all_possible"] if kind == "all" else row[f"{kind}_bytes"]
                for row in part
            ]
            axes.semilogy([row["n"] for row in part], values, style, label=label, markersize=4)
        axes.set(xlabel="window n", title=corpus, ylim=(1e4, 1e13))
    figure.axes[0].set_ylabel("bytes in memory")
    figure.axes[0].legend(fontsize=8)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=90)


def section(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The part of docs/architectures.md: a table a corpus, and the picture."""
    lines = [
        "`python -m benchmarks.memory --data-dir DIR` counts unpruned Kneser–Ney models of n = 1 "
        "to 6. A table of every sequence of n words would have V^n entries, which is the growth "
        "that the notes mean; what is kept of them are the n-grams that the corpus holds, so the "
        "tables grow by a factor with each n only until most n-grams have been seen once, and "
        "from then on by one entry a position of the text. Bengio's network grows by D H weights "
        "a word of its window (D = 100, H = 200, no W3), the recurrent network not at all: its "
        "state is H numbers for a context of any length.",
        "",
    ]
    for corpus in CORPORA:
        part = of_corpus(rows, corpus)
        lines += [f"{corpus}, {part[0]['words']:,} words:", ""]
        lines += ["| n | V^n | n-grams seen | their tables | × | Bengio's network | RNN |"]
        lines += ["|---" * 7 + "|"]
        before = None
        for row in part:
            growth = "" if before is None else f"{row['table_bytes'] / before:.1f}"
            before = row["table_bytes"]
            sizes = [f"{row[f'{k}_bytes'] / 1e6:.1f} MB" for k in ("table", "nplm", "rnn")]
            cells = (f"{row['all_possible']:.0e}", f"{row['n_grams']:,}", sizes[0], growth)
            lines.append(f"| {row['n']} | {' | '.join((*cells, *sizes[1:]))} |")
        lines.append("")
    return [*lines, "![Memory over the window](images/memory_window.png)"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="count anew on this folder's corpora")
    parser.add_argument("--json", action="store_true", help="print the rows")
    options = parser.parse_args()
    if options.data_dir:
        RECORD.write_text(json.dumps(measured(options.data_dir), indent=1) + "\n")
    rows = recorded()
    draw(rows, PICTURE)
    lines = map(json.dumps, rows) if options.json else section(rows)[2:-1]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
