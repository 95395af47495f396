"""What a keyboard's files offer over a whole test split, beside the float model and counts.

    python -m benchmarks.device_quality --data-dir DIR [--preset cifg_tatoeba_en] [--write]

Each file is exported, written and opened by the reference runtime, which tokenizes the sentences
from the rules inside it; `step` then gets every word of every sentence and `score` every sentence.
Recall is counted as `zoo evaluate` counts it: `<eos>` is not asked for, an unknown word is a miss.
The baseline and the float model are measured in Python. `--write` puts the table into
docs/device.md.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import zoo
from benchmarks.timing import report
from export.cli import sampled_texts
from export.device.file import LiteFile
from export.device.models import NextWords
from export.tflite.check import Tally, as_predictions
from export.tflite.exporter import export_tflite
from export.tools.page import write_table
from training.datasets import load
from training.tasks.evaluate import evaluate
from zoo.text import BOS

QUANTIZATIONS = ("none", "float16", "dynamic", "int8")


def file_row(path: Any, sentences: Sequence[str]) -> dict[str, Any]:
    """Recall and perplexity of a `.tflite` file."""
    runtime = NextWords(LiteFile(path))
    tally = Tally()
    for sentence in sentences:
        ids = runtime.tokenizer.encode(sentence)
        add_recall(tally, runtime, ids)
        add_score(tally, runtime, sentence, len(ids))
    return {**as_row(tally.values()), "words": tally.asked}


def add_recall(tally: Tally, runtime: NextWords, ids: Sequence[int]) -> None:
    """Every word of a sentence, asked for after the words before it."""
    answer = runtime.answer([BOS])
    for i in ids:
        tally.add(i, as_predictions(answer["ids"][0], len(runtime.tokenizer.vocabulary)))
        answer = runtime.step(i, answer)


def add_score(tally: Tally, runtime: NextWords, sentence: str, words: int) -> None:
    """A sentence's log-probability; the few that are longer than the buffer are left out."""
    if words + 2 <= runtime.file.length:
        score = runtime.score(sentence)
        tally.log_prob += score["log_prob"]
        tally.tokens += score["tokens"]


def model_row(model: Any, corpus: Any) -> dict[str, Any]:
    """The same of a model in Python, as `zoo evaluate` says it."""
    found = {row["metric"]: row for row in evaluate(model, corpus, "test")}
    values = {name: row["value"] for name, row in found.items()}
    return {**as_row(values), "words": found["recall@1"]["tokens"]}


def as_row(values: dict[str, float]) -> dict[str, Any]:
    """Rounded as published."""
    perplexity = values["perplexity"]
    return {
        "recall@1": f"{100 * values['recall@1']:.2f} %",
        "recall@3": f"{100 * values['recall@3']:.2f} %",
        "perplexity": f"{perplexity:.2f}" if math.isfinite(perplexity) else "infinite",
    }


def rows(preset: str, baseline: str, corpus: Any) -> list[dict[str, Any]]:
    """One row a file, after the baseline and the float model."""
    model = zoo.load(preset)
    found = [
        {"what": baseline, "MB": None, **model_row(zoo.load(baseline), corpus)},
        {"what": f"{preset}, Python", "MB": None, **model_row(model, corpus)},
    ]
    for quantize in QUANTIZATIONS:
        with tempfile.TemporaryDirectory() as folder:
            made = export_tflite(
                model,
                folder,
                quantize,
                texts=sampled_texts(corpus, "test", model),
                calibration=sampled_texts(corpus, "train", model),
            )
            what = {"what": f"file, {quantize}", "MB": f"{made.bytes / 1e6:.2f}"}
            found.append({**what, **file_row(made.path, corpus.test)})
            report(found[-1:], as_json=True)
    return found


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device_quality")
    parser.add_argument("--preset", default="cifg_tatoeba_en")
    parser.add_argument("--baseline", default="kn5_tatoeba_en")
    parser.add_argument("--data", default="tatoeba_en")
    parser.add_argument("--data-dir", help="folder with the corpora")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="renew the table in docs/device.md")
    options = parser.parse_args()
    found = rows(options.preset, options.baseline, load(options.data, options.data_dir))
    report(found, options.json)
    if options.write:
        write_table("quality", found)


if __name__ == "__main__":
    main()
