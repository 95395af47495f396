"""Tables of results, made from the presets' and the runs' own records, never typed.

python -m training.results                  print the table of presets
python -m training.results --write          write it into README.md, and docs/results.md and the
                                            README's picture
python -m training.results --record NAME --run DIR --data-dir DIR
                                            measure a run that is not shipped, and keep its figures
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import zoo
from training.publishing.plot import plot
from training.publishing.run_records import read_records, record, training_seconds
from zoo.errors import ZooError
from zoo.io import write_atomically
from zoo.presets.store import shipped_presets

MARKS = ("<!-- presets: python -m training.results --write -->", "<!-- /presets -->")
ROOT = Path(__file__).parents[2]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "results.md"
PICTURED, PICTURE = "tatoeba_en", ROOT / "docs" / "images" / "presets.png"
INTRODUCTION = """\
# Results

Made by `python -m training.results --write` from the presets' own config.json and from
training/records/. Each figure can be had again by the command in its row; DIR is the folder of the
corpora. `<eos>` and `<unk>` are counted in every perplexity; `tokens` and `unknown` say how many.
`training` is the time of the steps alone on the machine named (the shipped presets: two cores of an
AMD EPYC), which did other work as well; the curves are training/logs/*.csv.
"""


def presets_table() -> str:
    """A Markdown table of the shipped presets: one a line."""
    rows = []
    for name, info in zoo.list_presets().items():
        size = sum(path.stat().st_size for path in shipped_presets()[name].rglob("*")) / 1e6
        parameters = f"{info.parameters:,}"
        cells = (f"`{name}`", info.description, parameters, f"{size:.1f} MB", figures(info.metrics))
        rows.append(cells)
    return table(("preset", "what", "parameters", "size", "test figures"), rows)


def figures(metrics: dict[str, Any]) -> str:
    """All measured figures in one line."""
    return ", ".join(figure(key, value) for key, value in metrics.items())


def figure(key: str, value: float | None) -> str:
    """One measured figure as readers expect it: recalls in percent, counts whole."""
    name = key.removeprefix("test_").replace("_", " ").replace("oov", "unknown")
    if value is None:
        return f"{name} ∞"
    if name.startswith("recall"):
        return f"{name} {value:.1%}"
    return f"{name} {value:,}" if isinstance(value, int) else f"{name} {value:.2f}"


def with_table(page: str, table: str, marks: tuple[str, str] = MARKS) -> str:
    """A page's text with the table between its marks."""
    before, start, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not start or not end:
        raise ZooError(f"the page lacks the marks {marks[0]} and {marks[1]}")
    return f"{before}{start}\n{table}\n{end}{after}"


COLUMNS = ("run", "what", "parameters", "test figures", "training", "command")


def results() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Corpus and the cells of each run."""
    for name, info in zoo.list_presets().items():
        command = f"`zoo evaluate {name} --data {info.data} --data-dir DIR`"
        cells = (f"`{name}`", info.description, f"{info.parameters:,}", figures(info.metrics))
        yield info.data, (*cells, minutes(name), command)
    for name, kept in read_records().items():
        train = f"`zoo train {name} --data-dir DIR --out runs/{name}`"
        command = f"`zoo evaluate runs/{name} --data {kept['data']} --data-dir DIR`"
        cells = (name, kept["description"], f"{kept['parameters']:,}", figures(kept["metrics"]))
        trained = f"{taken}, {kept['machine']}" if (taken := minutes(name)) else ""
        yield kept["data"], (*cells, trained, f"{train}, {command}")


def minutes(name: str) -> str:
    """How long a run took; counting takes no time worth a figure."""
    seconds = training_seconds(name)
    return "" if seconds is None else f"{seconds / 60:.0f} min"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells as Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def page() -> str:
    """docs/results.md: a table a corpus."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    for data, cells in results():
        rows.setdefault(data, []).append(cells)
    parts = [INTRODUCTION]
    for data, cells_of_all in sorted(rows.items()):
        parts += [f"## {data}\n", table(COLUMNS, cells_of_all) + "\n"]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write README.md and docs/results.md")
    parser.add_argument("--record", metavar="NAME", help="measure a run that is not shipped")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    if options.record:
        if options.run is None:
            parser.error("--record needs --run DIR, the directory that zoo train wrote")
        print(record(options.record, options.run, options.data_dir))
    if options.write:
        write_atomically(README, with_table(README.read_text(encoding="utf-8"), presets_table()))
        write_atomically(PAGE, page())
        plot(PICTURED, PICTURE)
    elif not options.record:
        print(presets_table())
