"""A training that is killed again and again ends in the weights of one that is left alone.

    python -m benchmarks.killed [--kills 10] [--epochs 60] [--seed N] [--json]

Trains a small network on made-up sentences twice: once without a break, once with `kill -9` at
random moments, from the import of the command to the last epoch, each time gone on with
`--resume`. Checkpoints come several times an epoch, so that most kills come in the middle of one;
every third end is asked for (SIGTERM), and must be one with a checkpoint of that step. Fails (exit
code 1) when a resumed run ends badly, a single bit of the weights differs, or no kill came in the
middle of an epoch that had a checkpoint, which proves nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.corpus import english

CONFIG = """\
name: killed
data: {{name: {folder}, vocabulary_size: null}}
model: {{class: RecurrentLanguageModel, units: 48, embedding_dim: 24, num_layers: 2, dropout: 0.2}}
training:
  epochs: {epochs}
  stop_after: {epochs}
  batch_size: 8
  time_steps: 8
  stream: true
  checkpoint_minutes: 0.002
  optimizer: {{learning_rate: 0.01, clip_norm: 1.0}}
"""
TRAIN = "import sys; from zoo.cli.main import main; sys.exit(main(['train', *sys.argv[1:]]))"


def write_run(folder: Path, epochs: int) -> Path:
    """Text and a config."""
    sentences = english(1200)
    for name, part in (("train", sentences[:1000]), ("valid", sentences[1000:1100]),
                       ("test", sentences[1100:])):  # fmt: skip
        (folder / f"{name}.txt").write_text("\n".join(part), encoding="utf-8")
    path = folder / "killed.yaml"
    path.write_text(CONFIG.format(folder=folder, epochs=epochs), encoding="utf-8")
    return path


def start(config: Path, out: Path) -> subprocess.Popen[bytes]:
    """Train, or go on where there is a checkpoint."""
    more = (
        ["--resume"] if (out.with_name(out.name + ".training") / "checkpoint.npz").exists() else []
    )
    command = [sys.executable, "-c", TRAIN, str(config), "--out", str(out), *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(run: subprocess.Popen[bytes]) -> None:
    """Wait for a run's good end."""
    _, errors = run.communicate()
    if run.returncode:
        raise RuntimeError(f"a run ended with {run.returncode}: {errors.decode()[-500:]}")


def epochs_of(out: Path) -> int:
    """How many epochs a run's log holds."""
    log = out.with_name(out.name + ".training") / "log.csv"
    return max(0, len(log.read_text(encoding="utf-8").splitlines()) - 1) if log.exists() else 0


def ended(run: subprocess.Popen[bytes], asked: bool) -> None:
    """Kill a run, or ask it to end, which it does with a line once it trains."""
    run.terminate() if asked else run.kill()
    _, errors = run.communicate()
    # A signal that comes before the first step, or in a validation, ends it without a line.
    if asked and run.returncode not in (0, 128 + signal.SIGTERM, -signal.SIGTERM):
        raise RuntimeError(f"SIGTERM gave {run.returncode}: {errors.decode()[-500:]}")


def progress_of(out: Path) -> tuple[int, int]:
    """Epochs done, and steps of the next, in a run's checkpoint."""
    checkpoint = out.with_name(out.name + ".training") / "checkpoint.npz"
    if not checkpoint.exists():
        return 0, 0
    with np.load(checkpoint) as content:
        state = json.loads(bytes(content["progress"]).decode())
    return state["epoch"], state["epoch_steps"]


def killed_run(
    config: Path, out: Path, kills: int, seconds: float, rng: random.Random
) -> list[tuple[int, int]]:
    """Kill a run so many times, each after a random time, then let it end; where each kill came."""
    moments: list[tuple[int, int]] = []
    while len(moments) < kills:
        run = start(config, out)
        time.sleep(rng.uniform(0.2, seconds))
        if run.poll() is not None:
            finished(run)
            break  # it was over sooner
        ended(run, asked=len(moments) % 3 == 2)
        moments.append(progress_of(out))
    finished(start(config, out))
    return moments


def compared(kills: int, epochs: int, seed: int) -> dict[str, Any]:
    """The two runs, and whether their weights are the same to the bit."""
    import zoo

    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), random.Random(seed)
        config = write_run(folder, epochs)
        started = time.monotonic()
        finished(start(config, folder / "whole"))
        whole = time.monotonic() - started
        # A start takes some seconds; most kills come a few epochs after it, so that ten of them
        # fit into one run.
        moments = killed_run(config, folder / "again", kills, whole / 3, rng)
        pair = [[w.numpy() for w in zoo.load(folder / n).weights] for n in ("whole", "again")]
        same = all(np.array_equal(one, other) for one, other in zip(*pair, strict=True))
        return {
            "kills": len(moments), "epoch_and_step_at_kills": moments,
            "epochs": epochs_of(folder / "again"), "whole_seconds": round(whole, 1),
            "seed": seed, "same_weights": same,
        }  # fmt: skip


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1000))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = compared(options.kills, options.epochs, options.seed)
    lines = [f"{name:18} {value}" for name, value in result.items()]
    print(json.dumps(result) if options.json else "\n".join(lines))
    in_an_epoch = any(step for _, step in result["epoch_and_step_at_kills"])
    return 0 if result["same_weights"] and in_an_epoch else 1


if __name__ == "__main__":
    sys.exit(main())
