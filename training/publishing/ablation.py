"""The ablation of section 2.4's five extensions: a table from the runs' own records.

python -m training.ablation            print it
python -m training.ablation --write    write it into docs/translation.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.publishing.results import minutes, table, with_table
from training.publishing.run_records import read_records
from zoo.io import write_atomically

PAGE = Path(__file__).parents[2] / "docs" / "translation.md"
MARKS = ("<!-- ablation: python -m training.ablation --write -->", "<!-- /ablation -->")
COLUMNS = (
    "config",
    "what",
    "parameters",
    "BLEU (lower case)",
    "change",
    "chrF (lower case)",
    "perplexity",
    "training",
)
STEPS = {
    "base": "base form, [23]-[25]",
    "i": "+ I, the decoder has weights of its own",
    "i_ii": "+ II, the decoder is fed h, the context and its last word",
    "i_iii": "+ III, two layers",
    "i_iv": "+ IV, bidirectional encoder",
    "i_v": "+ V, reversed source: all five",
    "attention": "all five and attention",
    "subword": "all five, attention with a readout, 5,000 subwords a side",
}


def rows() -> Iterator[tuple[str, ...]]:
    """One row a config that has a record, in the order in which the extensions are added."""
    records, before = read_records(), None
    for step, what in STEPS.items():
        name = f"multi30k_{step}"
        if name not in records:
            continue
        metrics: dict[str, Any] = records[name]["metrics"]
        bleu, chrf = metrics["test_bleu_uncased"], metrics["test_chrf_uncased"]
        yield (
            f"`{name}`",
            what,
            f"{records[name]['parameters']:,}",
            f"{bleu:.1f}",
            "" if before is None else f"{bleu - before:+.1f}",
            f"{chrf:.1f}",
            f"{metrics['test_perplexity']:.1f}",
            minutes(name),
        )
        before = bleu


def ablation_table() -> str:
    """The whole table as Markdown."""
    return table(COLUMNS, rows())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/translation.md")
    if parser.parse_args().write:
        text = PAGE.read_text(encoding="utf-8")
        write_atomically(PAGE, with_table(text, ablation_table(), MARKS))
    else:
        print(ablation_table())
