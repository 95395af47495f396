"""What the n-gram code's less plain forms save over plain NumPy and Python, in turns.

    python -m benchmarks.ngram_plain --data-dir DIR [--order 5] [--rounds 7] [--json]

    ids       zoo/ngrams/index/whitespace.py against splitting and a dictionary
    look-ups  zoo/ngrams/index/perfect_hash.py against binary search in the tables
    ARPA      lines formatted by Polars against Python's own formatting

The model is of the training text, ids and look-ups are those of the test text; a form stays where
it saves a quarter or more. Without --data-dir the text is the tests' own generated corpus.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from benchmarks.ngram import build, corpus_files
from benchmarks.timing import in_turns, report
from zoo.models.ngram import NGramLanguageModel
from zoo.ngrams.arpa import writing
from zoo.ngrams.corpus import Encoder, numbered
from zoo.ngrams.index.index import HashFinder
from zoo.ngrams.sentences import sentence_log_probs

Row = dict[str, str | float]


def ids_row(model: NGramLanguageModel, sentences: list[str], rounds: int) -> Row:
    """Sentences to ids, `<eos>` after each."""
    encoder = Encoder(model.tokenizer)
    return _row(
        "ids",
        lambda: encoder(sentences),
        lambda: numbered(model.tokenizer, sentences, encoder.ids.__getitem__),
        rounds,
    )


def look_up_row(model: NGramLanguageModel, sentences: list[str], rounds: int) -> Row:
    """Log-probabilities of sentences given as ids."""
    ids, find = Encoder(model.tokenizer)(sentences), HashFinder(model.tables)
    return _row(
        "look-ups",
        lambda: sentence_log_probs(model.tables, ids, find),
        lambda: sentence_log_probs(model.tables, ids),
        rounds,
    )


def arpa_row(model: NGramLanguageModel, folder: Path, rounds: int) -> Row:
    """The n-grams of the highest order as lines of an ARPA file."""
    names = [writing.NAMES.get(i, word) for i, word in enumerate(model.tokenizer.vocabulary)]
    *_, columns = writing.word_columns(model.tables)
    log_prob = model.tables.levels[-1].log_prob[:-1]

    def write(write_entries: Callable[..., None]) -> None:
        with (folder / "model.arpa").open("wb") as file:
            for start in range(0, len(log_prob), writing.CHUNK):
                rows = slice(start, start + writing.CHUNK)
                write_entries(file, names, [c[rows] for c in columns], log_prob[rows], None)

    return _row(
        "ARPA", partial(write, writing.write_entries), partial(write, write_plainly), rounds
    )


def write_plainly(
    file: IO[bytes],
    names: Sequence[str],
    ids: Sequence[np.ndarray],
    log_prob: np.ndarray,
    backoff: np.ndarray | None,
) -> None:
    """`writing.write_with_polars` in Python: the same bytes."""
    columns = [[names[i] for i in column.tolist()] for column in ids]
    ngrams = map(" ".join, zip(*columns, strict=True))
    if backoff is None:
        lines = map("%.7f\t%s\n".__mod__, zip(_base_10(log_prob), ngrams, strict=True))
    else:
        rows = zip(_base_10(log_prob), ngrams, _base_10(backoff), strict=True)
        lines = map("%.7f\t%s\t%.7f\n".__mod__, rows)
    file.write("".join(lines).encode())


def _base_10(values: np.ndarray) -> list[float]:
    return np.maximum(values.astype(np.float64) / np.log(10), writing.ZERO).tolist()


def _row(what: str, ours: Callable[[], object], plain: Callable[[], object], rounds: int) -> Row:
    timings = in_turns({"ours": ours, "plain": plain}, rounds, warm_up=1)
    return {
        "measure": what,
        "ms": timings["ours"]["wall_ms"],
        "cpu_ms": timings["ours"]["cpu_ms"],
        "plain_ms": timings["plain"]["wall_ms"],
        "plain_cpu_ms": timings["plain"]["cpu_ms"],
        "times_faster": timings["plain"]["ratio"],
        "times_faster_cpu": timings["plain"]["ratio_cpu"],
    }


def main() -> None:
    """Measure all three and print a row each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder with wikitext-2/")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts, held_out = corpus_files(options.data_dir, 0.0, folder)
        model, _ = build(next(iter(texts.values())), options.order)
        rows = [
            ids_row(model, held_out, options.rounds),
            look_up_row(model, held_out, options.rounds),
            arpa_row(model, folder, options.rounds),
        ]
        report(rows, options.json)


if __name__ == "__main__":
    main()
