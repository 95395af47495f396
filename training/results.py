"""Tables of results, made from the presets' and the runs' own records, never typed.

python -m training.results                  print the table of presets
python -m training.results --write          write it into README.md, and docs/results.md
python -m training.results --record NAME --run DIR --data-dir DIR
                                            measure a run that is not shipped, and keep its figures
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zoo
from zoo.errors import ZooError
from zoo.presets.store import shipped_presets
from zoo.text.vocabulary import write_atomically

START, END = "<!-- presets: python -m training.results --write -->", "<!-- /presets -->"
ROOT = Path(__file__).parents[1]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "results.md"
RECORDS = Path(__file__).parent / "records"
INTRODUCTION = """\
# Results

Made by `python -m training.results --write` from the presets' own config.json and from
training/records/. Each figure can be had again by the command in its row; DIR is the folder of the
corpora. `<eos>` and `<unk>` are counted in every perplexity; `tokens` and `unknown` say how many.
"""


def presets_table() -> str:
    """A Markdown table of the shipped presets: one a line."""
    lines = ["| preset | what | parameters | size | test figures |", "|---|---|---|---|---|"]
    for name, info in zoo.list_presets().items():
        size = sum(path.stat().st_size for path in shipped_presets()[name].rglob("*")) / 1e6
        cells = (
            f"`{name}`",
            info.description,
            f"{info.parameters:,}",
            f"{size:.1f} MB",
            figures(info.metrics),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


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


def with_table(readme: str, table: str) -> str:
    """The README's text with the table between its marks."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ZooError(f"README.md lacks the marks {START} and {END}")
    return f"{before}{START}\n{table}\n{END}{after}"


def record(name: str, run: Path, data_dir: str | None) -> Path:
    """Measure a kept run on its corpus's test split and write training/records/NAME.json."""
    from training.config import CONFIGS, read_run_config
    from training.datasets import load
    from training.evaluate import evaluate, recorded

    config = read_run_config(CONFIGS / f"{name}.yaml")
    model = zoo.load(run)
    rows = list(evaluate(model, load(config.data.name, data_dir), "test"))
    content = {
        "description": config.description,
        "data": config.data.name,
        "parameters": model.parameter_count(),
        "metrics": recorded(rows),
    }
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{name}.json"
    write_atomically(path, json.dumps(content, indent=1) + "\n")
    return path


def results() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Corpus, whether shipped, and the cells of each run."""
    for name, info in zoo.list_presets().items():
        command = f"zoo evaluate {name} --data {info.data} --data-dir DIR"
        cells = (f"`{name}`", info.description, f"{info.parameters:,}", figures(info.metrics))
        yield info.data, name, (*cells, f"`{command}`")
    for path in sorted(RECORDS.glob("*.json")):
        kept, name = json.loads(path.read_text(encoding="utf-8")), path.stem
        train = f"zoo train training/configs/{name}.yaml --data-dir DIR --out runs/{name}"
        command = f"zoo evaluate runs/{name} --data {kept['data']} --data-dir DIR"
        cells = (name, kept["description"], f"{kept['parameters']:,}", figures(kept["metrics"]))
        yield kept["data"], name, (*cells, f"`{train}`, `{command}`")


def page() -> str:
    """docs/results.md: a table a corpus."""
    tables: dict[str, list[str]] = {}
    for data, _, cells in results():
        head = ["| run | what | parameters | test figures | command |", "|---|---|---|---|---|"]
        tables.setdefault(data, head).append("| " + " | ".join(cells) + " |")
    parts = [INTRODUCTION]
    for data, lines in sorted(tables.items()):
        parts += [f"## {data}\n", "\n".join(lines) + "\n"]
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
    elif not options.record:
        print(presets_table())


if __name__ == "__main__":
    main()
