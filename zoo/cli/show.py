"""How the `zoo` command shows a row to a reader; `--json` prints the row itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def show_words(row: dict[str, Any]) -> str:
    lines = [f"  {w['probability']:.4f}  {w['word']}" for w in row["words"]]
    return "\n".join([row["text"] or "(empty text)", *lines])


def show_tags(row: dict[str, Any]) -> str:
    lines = [f"  {w['probability']:.4f}  {w['label']:12}  {w['word']}" for w in row["words"]]
    return "\n".join([row["text"] or "(empty text)", *lines])


def show_labels(row: dict[str, Any]) -> str:
    lines = [f"  {entry['probability']:.4f}  {entry['label']}" for entry in row["labels"]]
    return "\n".join([row["text"] or "(empty text)", *lines])


def show_score(row: dict[str, Any]) -> str:
    whole = (
        f"{row['log_prob']:10.3f} nats  perplexity {row['perplexity']:.2f}  "
        f"({row['tokens']} tokens with <eos>, {row['oov']} unknown)  {row['text']}"
    )
    words = [
        f"{word['log_prob']:10.3f}  {word['word']}{' (unknown)' if word['oov'] else ''}"
        for word in row.get("words", ())
    ]
    return "\n".join([whole, *words])


def show_rank(row: dict[str, Any]) -> str:
    return f"{row['rank']:3d}  {row['log_prob']:10.3f}  {row['text']}"


def show_translations(row: dict[str, Any]) -> str:
    lines = [f"  {t['score']:8.3f}  {t['text']}" for t in row["translations"]]
    return "\n".join([row["text"], *lines])


def show_preset(row: dict[str, Any]) -> str:
    figures = ", ".join(f"{k} {'infinite' if v is None else v}" for k, v in row["metrics"].items())
    return (
        f"{row['name']}: {row['description']} "
        f"[{row['parameters']:,} parameters; {row['data']}; {row['licence']}; {figures}]"
    )


# The figures of `zoo list` that fit a terminal: the first that a preset has.
HEADLINES = ("perplexity", "cloze_perplexity", "bleu", "accuracy")


def print_presets(rows: Iterable[dict[str, Any]]) -> None:
    """The presets as a table, for a terminal; in a pipe each has a line of its own."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("preset", no_wrap=True)
    table.add_column("what", overflow="fold")
    for title in ("parameters", "figure"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["name"], row["description"], f"{row['parameters']:,}", headline(row["metrics"])
        )
    Console().print(table)


def headline(metrics: dict[str, Any]) -> str:
    """The one figure of a preset that a table has room for.

    Example:
        >>> headline({"perplexity": 21.53, "tokens": 43512})
        'perplexity 21.53'
    """
    name = next((name for name in (*HEADLINES, *metrics) if name in metrics), None)
    if name is None:
        return ""
    value = metrics[name]
    return f"{name.replace('_', ' ')} {'infinite' if value is None else value}"


SIGNED = {"h": "h", "c": "c", "h_tilde": "h\u0303", "c_tilde": "c\u0303"}


def show_gates(row: dict[str, Any]) -> str:
    """A table a layer: the mean over its units, of what has a sign the root mean square."""
    parts = [row["text"], *(_layer_table(row["words"], layer) for layer in row["layers"])]
    return "\n".join([*parts, *([f"picture: {row['picture']}"] if "picture" in row else [])])


def _layer_table(words: list[str], layer: dict[str, Any]) -> str:
    gates = layer["gates"]
    units = max(len(values[0]) for values in gates.values())
    how = f"{units} units: mean of gates, root mean square of memories and states"
    width = max(map(len, ["word", *words]))
    # A letter and its tilde are two characters, of which one takes up room.
    title = "".join(" " * (9 - len(stage.partition("_")[0])) + SIGNED.get(stage, stage)
                    for stage in gates)  # fmt: skip
    lines = [f"{layer['name']} ({'one unit' if units == 1 else how})", f"  {'word':{width}}{title}"]
    for i, word in enumerate(words):
        values = "".join(f"{_overall(stage, gates[stage][i]):9.3f}" for stage in gates)
        lines.append(f"  {word:{width}}{values}")
    return "\n".join(lines)


def _overall(stage: str, values: list[float]) -> float:
    """One figure of all units; a single unit's own value."""
    if stage in SIGNED and len(values) > 1:
        return math.sqrt(sum(v * v for v in values) / len(values))
    return sum(values) / len(values)


def show_plain(row: dict[str, Any]) -> str:
    return "  ".join(f"{key}={value}" for key, value in row.items())


def show_gradients(row: dict[str, Any]) -> str:
    """A layer's report in four lines; other rows (experiments, pictures) as they are."""
    if "layer" not in row:
        return show_plain({key: v for key, v in row.items() if key != "norms"})
    distances = [d for d in (1, 2, 5, 10, 20, 30) if d < len(row["norms"])]

    def line(title: str, values: list[float]) -> str:
        return f"  {title:22}" + "".join(f"{values[d]:11.3g}" for d in distances)

    return "\n".join(
        [
            f"{row['layer']} ({row['cell']}, {row['units']} units): {row['verdict']}",
            f"  {'steps back':22}" + "".join(f"{d:11d}" for d in distances),
            line("norm of ds_t/ds_k", row["norms"]),
            line("bound [16]", row["bounds"]),
            line("part of dE/dW [14]", row["contributions"]),
            f"  largest singular value of W {row['largest_singular_value']:.4g}; norm under 1 % "
            + ("at no distance here" if (n := row["memory_length"]) is None else f"from {n} on"),
        ]
    )
