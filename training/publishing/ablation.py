"""The ablation of section 2.4's five extensions: a table from the runs' own records.

python -m training.ablation            print the tables
python -m training.ablation --write    write them into docs/translation.md
python -m training.ablation --corpus tatoeba --seeds 1,2,3 --data-dir DIR --out runs
                                       train each row with each seed (what is there goes on), and
                                       keep means and spread
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from training.config import CONFIGS, read_run_config
from training.publishing.results import minutes, table, with_table
from training.publishing.run_records import read_records, record
from training.run.fit import train_epochs
from zoo.io import write_atomically

PAGE = Path(__file__).parents[2] / "docs" / "translation.md"
END = "<!-- /ablation -->"
# By corpus: where its table begins. A row's config is CORPUS_STEP.
MARKS = {
    "multi30k": "<!-- ablation: python -m training.ablation --write -->",
    "tatoeba": "<!-- ablation of tatoeba: python -m training.ablation --write -->",
}
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


def rows(corpus: str = "multi30k") -> Iterator[tuple[str, ...]]:
    """One row a config that has a record, in the order in which the extensions are added."""
    records, before = read_records(), None
    for step, what in STEPS.items():
        name = f"{corpus}_{step}"
        if name not in records:
            continue
        kept = records[name]
        bleu = kept["metrics"]["test_bleu_uncased"]
        yield (
            f"`{name}`",
            what,
            f"{kept['parameters']:,}",
            figure(kept, "test_bleu_uncased"),
            "" if before is None else f"{bleu - before:+.1f}",
            figure(kept, "test_chrf_uncased"),
            figure(kept, "test_perplexity"),
            minutes(name),
        )
        before = bleu


def figure(kept: dict[str, Any], key: str) -> str:
    """A figure; of several seeds their mean and standard deviation."""
    value = f"{kept['metrics'][key]:.1f}"
    of_seeds = kept.get("seeds", {}).get(key, [])
    return f"{value} ± {statistics.stdev(of_seeds):.1f}" if len(of_seeds) > 1 else value


def ablation_table(corpus: str = "multi30k") -> str:
    """A corpus's table as Markdown."""
    return table(COLUMNS, rows(corpus))


def train_all(corpus: str, seeds: Sequence[int], data_dir: str | None, out: Path) -> None:
    """Train each row's config with each seed, from where it was left, and keep the figures."""
    for step in STEPS:
        name = f"{corpus}_{step}"
        if not (CONFIGS / f"{name}.yaml").is_file():
            continue
        runs = [out / f"{name}.seed{seed}" for seed in seeds]
        for seed, run in zip(seeds, runs, strict=True):
            config = read_run_config(name, [f"seed={seed}"])
            for row in train_epochs(config, data_dir=data_dir, out=run, resume=True):
                print(name, seed, row, flush=True)
        print(record(name, runs[0], data_dir, runs[1:]), flush=True)


def write() -> None:
    """All tables into the page."""
    text = PAGE.read_text(encoding="utf-8")
    for corpus, mark in MARKS.items():
        text = with_table(text, ablation_table(corpus), (mark, END))
    write_atomically(PAGE, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/translation.md")
    parser.add_argument("--corpus", choices=MARKS, default="tatoeba", help="whose rows are trained")
    parser.add_argument("--seeds", help="train with these, such as 1,2,3")
    parser.add_argument("--data-dir", help="folder with the corpora")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of the runs")
    options = parser.parse_args()
    if options.seeds:
        seeds = [int(seed) for seed in options.seeds.split(",")]
        train_all(options.corpus, seeds, options.data_dir, options.out)
    if options.write:
        write()
    elif not options.seeds:
        print("\n\n".join(map(ablation_table, MARKS)))
