"""n-gram models: build time and peak memory, scoring and top-10 against the `kenlm` module.

    python -m benchmarks.ngram --data-dir DIR [--json] [--rounds N] [--big-megabytes 100]

Builds run each in a process of its own, from the text file to the tables, vocabulary included.
The big text is WikiText-2's training text over and over, a tenth of its words replaced by others.
The scores are compared with `kenlm` (pip install kenlm) where it is installed, on one ARPA file
written by us and read by both. Without --data-dir the text is the tests' own generated corpus.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import Contestants, in_turns, report
from zoo.models.ngram import NGramLanguageModel

NOISE = 0.1
CONTEXTS = 200
KENLM_CONTEXTS = 2  # scoring every word of the vocabulary in Python is that slow
TOP = 10
Row = dict[str, Any]  # figures and names, printed as they are


def build(path: Path, order: int) -> tuple[NGramLanguageModel, Row]:
    """Train on a text file; the model and what it took."""
    started = time.perf_counter()
    with path.open(encoding="utf-8") as lines:
        model = NGramLanguageModel.train(
            (line.rstrip("\n") for line in lines), order=order, tokenizer="whitespace"
        )
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return model, {"seconds": round(seconds, 2), "peak_mib": round(peak)}


def _measured(path: Path, order: int) -> Row:
    model, row = build(path, order)
    return {**row, "entries": model.tables.entries}


def build_rows(texts: dict[str, Path], rounds: int) -> Iterator[Row]:
    """The median of `rounds` builds of each text and order, in turns."""
    jobs = [(name, order) for name in texts for order in (3, 5)]
    runs: dict[tuple[str, int], list[Row]] = {job: [] for job in jobs}
    context = multiprocessing.get_context("spawn")
    for _ in range(rounds):
        for name, order in jobs:
            with context.Pool(1) as pool:  # a fresh process: its peak is this build's
                runs[name, order].append(pool.apply(_measured, (texts[name], order)))
    for (name, order), rows in runs.items():
        row = sorted(rows, key=lambda r: r["seconds"])[len(rows) // 2]
        tokens = count_tokens(texts[name])
        yield {
            "measure": "build", "text": name, "order": order, "tokens": tokens, **row,
            "slowest_seconds": max(r["seconds"] for r in rows),
            "million_tokens_per_second": round(tokens / row["seconds"] / 1e6, 2),
        }  # fmt: skip


def count_tokens(path: Path) -> int:
    """Words and one end a sentence."""
    with path.open(encoding="utf-8") as lines:
        return sum(len(line.split()) + 1 for line in lines)


def write_big(source: Path, path: Path, megabytes: float, seed: int = 1) -> None:
    """The source over and over, a tenth of its words replaced by words drawn as often as in it."""
    rng = np.random.default_rng(seed)
    sentences = [line.split() for line in source.read_text(encoding="utf-8").splitlines()]
    words = np.array([word for sentence in sentences for word in sentence])
    ends = np.cumsum([len(sentence) for sentence in sentences])[:-1]
    written = 0.0
    with path.open("w", encoding="utf-8") as file:
        while written < megabytes * 1e6:
            noisy = np.where(rng.random(len(words)) < NOISE, rng.permutation(words), words)
            lines = [" ".join(row) for row in np.split(noisy, ends)]
            written += file.write("\n".join(lines) + "\n")


def comparison_rows(
    model: NGramLanguageModel, sentences: list[str], folder: Path, rounds: int
) -> Iterator[Row]:
    """Tokens a second and contexts a second of ours and of `kenlm` on the same file."""
    arpa = folder / "model.arpa"
    model.save_arpa(arpa)
    other = load_kenlm(arpa)
    tokens = sum(len(s.split()) + 1 for s in sentences)
    yield index_row(model)
    if other:
        yield agreement_row(model, other, sentences)
    yield from _score_rows(model, other, sentences, tokens, rounds)
    yield from _top_rows(model, other, sentences, rounds)


def index_row(model: NGramLanguageModel) -> Row:
    """What the hash index takes, which is otherwise made once enough has been scored."""
    started = time.perf_counter()
    model.scorer.make_index()
    seconds = time.perf_counter() - started
    size = model.scorer.find.bytes if model.scorer.find else 0
    return {
        "measure": "index", "seconds": round(seconds, 2), "mib": round(size / 2**20),
        "tables_mib": round(model.tables.bytes / 2**20),
    }  # fmt: skip


def agreement_row(model: NGramLanguageModel, other: Any, sentences: list[str]) -> Row:
    """The largest difference of a sentence's log10, and of it a word.

    Words are added up here: `kenlm.Model.score` adds them in float32.
    """
    ours = [score.log_prob / np.log(10) for score in model.score(sentences)]
    theirs = [sum(p for p, _, _ in other.full_scores(s)) for s in sentences]
    apart = np.abs(np.subtract(ours, theirs))
    words = [len(s.split()) + 1 for s in sentences]
    return {
        "measure": "log10 apart from kenlm", "largest": float(apart.max()),
        "largest_a_word": float((apart / words).max()),
    }  # fmt: skip


def load_kenlm(arpa: Path) -> Any:
    """The file in KenLM's module; None where that is not installed."""
    try:
        import kenlm
    except ImportError:
        return None
    return kenlm.Model(str(arpa))


def _score_rows(
    model: NGramLanguageModel, other: Any, sentences: list[str], tokens: int, rounds: int
) -> Iterator[Row]:
    contestants: Contestants = {"ours": lambda: model.score(sentences)}
    if other:
        contestants["kenlm score"] = lambda: [other.score(s) for s in sentences]
        contestants["kenlm full_scores"] = lambda: [list(other.full_scores(s)) for s in sentences]
    yield from _rates("score", in_turns(contestants, rounds, 1), dict.fromkeys(contestants, tokens))


def _top_rows(
    model: NGramLanguageModel, other: Any, sentences: list[str], rounds: int
) -> Iterator[Row]:
    contexts = [" ".join(s.split()[:8]) for s in sentences if s.strip()][:CONTEXTS]
    contestants: Contestants = {"ours": lambda: model.next_words(contexts, k=TOP)}
    counts = {"ours": len(contexts), "kenlm every word": KENLM_CONTEXTS}
    if other:
        words = [w for w in model.tokenizer.vocabulary if not w.startswith("<")]
        some = contexts[:KENLM_CONTEXTS]
        contestants["kenlm every word"] = lambda: [kenlm_top(other, words, c) for c in some]
    yield from _rates("top 10", in_turns(contestants, rounds, 1), counts)


def kenlm_top(other: Any, words: list[str], context: str) -> list[tuple[float, str]]:
    """The likeliest next words as KenLM's module can give them: by scoring each."""
    import kenlm

    state, after = kenlm.State(), kenlm.State()
    other.BeginSentenceWrite(state)
    for word in context.split():
        other.BaseScore(state, word, after)
        state, after = after, state
    spare = kenlm.State()
    return sorted(((other.BaseScore(state, w, spare), w) for w in words), reverse=True)[:TOP]


def _rates(
    measure: str, timings: dict[str, dict[str, float]], counts: dict[str, int]
) -> Iterator[Row]:
    rates = {name: counts[name] / t["wall_ms"] * 1e3 for name, t in timings.items()}
    work = {name: t["cpu_ms"] / counts[name] for name, t in timings.items()}
    for name, timing in timings.items():
        yield {
            "measure": measure, "by": name, "per_second": round(rates[name], 1),
            "quartiles_ms": [timing["wall_ms_low"], timing["wall_ms_high"]],
            "cpu_ms": timing["cpu_ms"],
            "ours_times_faster": round(rates["ours"] / rates[name], 2),
            "ours_times_faster_cpu": round(work[name] / work["ours"], 2),
        }  # fmt: skip


def own_text(path: Path) -> Path:
    """A corpus of generated sentences, for a run without any from outside."""
    from tests.helpers.corpus import english

    path.write_text("\n".join(english()) + "\n", encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="folder with wikitext-2/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--big-megabytes", type=float, default=0.0, help="also a text of this size")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts, held_out = corpus_files(options.data_dir, options.big_megabytes, folder)
        rows = [*build_rows(texts, options.rounds)]
        model, _ = build(next(iter(texts.values())), 5)
        rows += comparison_rows(model, held_out, folder, options.rounds)
        report(rows, options.json)


def corpus_files(
    data_dir: Path | None, big: float, folder: Path
) -> tuple[dict[str, Path], list[str]]:
    """Texts to train on, by name, and the sentences to score."""
    if data_dir is None:
        texts = {"generated": own_text(folder / "own.txt")}
        held_out = texts["generated"].read_text(encoding="utf-8").splitlines()[:2000]
    else:
        texts = {"wikitext-2": data_dir / "wikitext-2" / "train.txt"}
        test = data_dir / "wikitext-2" / "test.txt"
        held_out = test.read_text(encoding="utf-8").splitlines()
    if big:
        path = folder / "big.txt"
        write_big(next(iter(texts.values())), path, big)
        texts[f"{big:g} MB"] = path
    return texts, held_out


if __name__ == "__main__":
    main()
