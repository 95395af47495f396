"""What a lent GPU is good for, in one command that ends in time and goes on in the next call.

    python -m benchmarks.gpu --budget SECONDS --out DIR [--earlier DIR] [--data-dir DIR]
                             [--parts layers,language_model,recipes] [--recipes NAME,...] [--tiny]

    layers           a training step of LSTM and GRU: ours, keras.layers, torch.nn (cuDNN), in turns
    language_model   the step of a whole language model, against the same two
    recipes          the flagships of `recipes.py`, one after another, until the budget ends

It needs jax, keras, h5py and NumPy, and no TensorFlow; PyTorch is compared where it is installed.
Rows go to DIR/*.jsonl as they are measured. A recipe's weights go to DIR in files of less than 16
MB, at least once a minute, together with what the next call needs to go on: give it that folder as
`--earlier` (or as `--out` again). `--tiny` runs everything at sizes for a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

PARTS = ("layers", "language_model", "recipes")
SHARES = {"layers": 0.25, "language_model": 0.15, "recipes": 1.0}  # of what is left at its start
RESERVE = 15.0  # seconds, for writing at the end


class Job:
    """One call: when it must have ended, and where its rows go."""

    def __init__(self, options: argparse.Namespace) -> None:
        reserve = min(RESERVE, options.budget / 10)
        self.end = time.monotonic() + options.budget - reserve
        self.out, self.tiny = Path(options.out), options.tiny
        self.data_dir = options.data_dir
        self.recipes = options.recipes.split(",") if options.recipes else None
        self.out.mkdir(parents=True, exist_ok=True)
        if options.earlier and Path(options.earlier).resolve() != self.out.resolve():
            shutil.copytree(options.earlier, self.out, dirs_exist_ok=True)

    def left(self, share: float = 1.0) -> float:
        """Seconds to use, or a share of them."""
        return max(0.0, self.end - time.monotonic()) * share

    def record(self, part: str, row: dict[str, Any]) -> None:
        """A row to the part's file and to standard output."""
        line = json.dumps({"part": part, **row})
        print(line, flush=True)
        with (self.out / f"{part}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def measured(self, part: str) -> set[str]:
        """The names of the rows that an earlier call has measured."""
        path = self.out / f"{part}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return {json.loads(line).get("name", "") for line in lines}


def run_part(job: Job, part: str) -> None:
    """One part, within its share of the time; what breaks it is a row, and the next one runs."""
    from benchmarks.gpu import language_model, layers, training

    run = {
        "layers": layers.run,
        "language_model": language_model.run,
        "recipes": training.run,
    }[part]
    try:
        run(job, time.monotonic() + job.left(SHARES[part]))
    except Exception as error:  # the time that is left is worth more than the traceback
        if job.tiny:
            raise
        job.record(part, {"error": f"{type(error).__name__}: {error}"[:500]})


def card() -> dict[str, Any]:
    """The device and the versions that the figures belong to."""
    import jax
    import keras

    device = jax.devices()[0]
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "jax": jax.__version__,
        "keras": keras.__version__,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--budget", type=float, required=True, help="seconds")
    parser.add_argument("--out", required=True)
    parser.add_argument("--earlier", help="an earlier call's --out, to go on from")
    parser.add_argument("--data-dir", help="folder with the corpora; parts without one go on")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--recipes", help="of recipes.py, in this order (default: all)")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args(arguments)
    if os.environ["KERAS_BACKEND"] != "jax":
        print("benchmarks.gpu runs on JAX: unset KERAS_BACKEND", file=sys.stderr)
        return 2
    job = Job(options)
    job.record("card", card())
    for part in options.parts.split(","):
        run_part(job, part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
