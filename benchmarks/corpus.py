"""A text larger than memory: how fast it is tokenised, and what `zoo train` holds at its start.

    python -m benchmarks.corpus [--megabytes 2000] [--folder DIR] [--json]

Writes made-up sentences into shards, half of them gzip, then starts `zoo train` on them and ends it
at its first checkpoint. `peak_mb` is the most resident memory of the process until then;
`tokens_per_second` is of the tokenising alone, with as many processes as cores.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.timing import report
from training.datasets.text_files import text_files
from training.datasets.token_map import count_words, token_map
from zoo.processors import usable_cores
from zoo.text import WordTokenizer
from zoo.text.vocabulary import CONTROL_TOKENS, most_frequent

SHARD = 100  # megabytes
CONFIG = """\
name: large
data: {{name: {folder}, vocabulary_size: 20000, map_dir: {folder}/maps}}
model: {{class: RecurrentLanguageModel, units: 64, embedding_dim: 64, num_layers: 1}}
training: {{epochs: 1, batch_size: 32, gradient_flow_every: 0, checkpoint_minutes: 0.0001}}
"""
MIDDLES = ("a", "en", "ing", "o", "ur")
ENDINGS = ("", "s", "ed", "er", "ly", "tion", "al", "y", "able", "less", "ful", "ic")
TRAIN = "import sys; from zoo.cli.main import main; sys.exit(main(['train', *sys.argv[1:]]))"


def write_shards(folder: Path, megabytes: int) -> None:
    """Sentences of words whose frequencies fall as those of a language do."""
    chance = random.Random(1)
    words = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in MIDDLES for c in ENDINGS]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    for number in range(-(-megabytes // SHARD)):
        path = folder / f"train-{number:04d}.txt{'.gz' if number % 2 else ''}"
        size = min(SHARD, megabytes - number * SHARD) * 2**20
        block = []
        while sum(map(len, block)) < 2**20:
            block.append(" ".join(chance.choices(words, weights, k=chance.randint(4, 30))) + ".\n")
        with gzip.open(path, "wt", 1) if number % 2 else path.open("w") as file:
            for _ in range(max(1, size // 2**20)):
                chance.shuffle(block)
                file.write("".join(block))
    for part in ("valid", "test"):
        (folder / f"{part}.txt").write_text("".join(block[:200]), encoding="utf-8")


def tokenising(folder: Path) -> dict[str, Any]:
    """Seconds to count the words and to write the map."""
    text = text_files([str(folder / "train-*")])
    started = time.perf_counter()
    counts = count_words(text, WordTokenizer(CONTROL_TOKENS))
    counted = time.perf_counter()
    tokenizer = WordTokenizer(most_frequent(counts, 20_000, 1))
    tokens = len(token_map(text, tokenizer, folder / "maps").stream)
    seconds = time.perf_counter() - counted
    return {
        "tokens": tokens,
        "count_seconds": round(counted - started, 1),
        "map_seconds": round(seconds, 1),
        "tokens_per_second": round(tokens / seconds),
        "cores": usable_cores(),
    }


def started_run(folder: Path) -> dict[str, Any]:
    """`zoo train` until its first checkpoint: seconds, and the most memory that it held."""
    config = folder / "large.yaml"
    config.write_text(CONFIG.format(folder=folder), encoding="utf-8")
    out, started = folder / "out", time.perf_counter()
    run = subprocess.Popen([sys.executable, "-c", TRAIN, str(config), "--out", str(out)])
    checkpoint = folder / "out.training" / "checkpoint.npz"
    peak = 0.0
    while run.poll() is None and not checkpoint.exists():
        peak = max(peak, resident_mb(run.pid))
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    run.kill()
    run.wait()
    if not checkpoint.exists():
        raise RuntimeError(f"the run ended with {run.returncode} before its first checkpoint")
    return {"start_seconds": round(seconds, 1), "peak_mb": round(peak)}


def resident_mb(pid: int) -> float:
    """The most that a process has held so far."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(x.split()[1]) / 1024 for x in lines if x.startswith("VmHWM")), 0.0)


def measured(folder: Path, megabytes: int) -> dict[str, Any]:
    write_shards(folder, megabytes)
    return {"megabytes": megabytes, **tokenising(folder), **started_run(folder)}


def main() -> int:
    """Measure and judge: under 1.5 GB."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--folder", help="where the text goes (default: a temporary folder)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        row = measured(Path(folder), options.megabytes)
    print(json.dumps(row)) if options.json else report([row], False, {key: key for key in row})
    return 0 if row["peak_mb"] < 1500 else 1


if __name__ == "__main__":
    sys.exit(main())
