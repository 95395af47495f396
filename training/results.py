"""The table of presets in the README, made from the presets' own records.

python -m training.results            print the table
python -m training.results --readme   write it into README.md between its two marks
"""

from __future__ import annotations

import argparse
from pathlib import Path

import zoo
from zoo.errors import ZooError
from zoo.presets.store import shipped_presets
from zoo.text.vocabulary import write_atomically

START, END = "<!-- presets: python -m training.results --readme -->", "<!-- /presets -->"
README = Path("README.md")


def presets_table() -> str:
    """A Markdown table: one preset a line."""
    lines = ["| preset | what | parameters | size | test figures |", "|---|---|---|---|---|"]
    for name, info in zoo.list_presets().items():
        size = sum(path.stat().st_size for path in shipped_presets()[name].rglob("*")) / 1e6
        figures = ", ".join(figure(key, value) for key, value in info.metrics.items())
        cells = (f"`{name}`", info.description, f"{info.parameters:,}", f"{size:.1f} MB", figures)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def figure(key: str, value: float) -> str:
    """One measured figure as readers expect it: recalls in percent, counts whole."""
    name = key.removeprefix("test_").replace("_", " ").replace("oov", "unknown")
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write it into README.md")
    if parser.parse_args().readme:
        text = with_table(README.read_text(encoding="utf-8"), presets_table())
        write_atomically(README, text)
    else:
        print(presets_table())


if __name__ == "__main__":
    main()
