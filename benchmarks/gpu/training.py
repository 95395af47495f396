"""The recipes, trained one after another until the budget ends, kept in files below 16 MB."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gpu.parcels import Parcel
from benchmarks.gpu.recipes import NAMES, TINY, run_config
from training.datasets import Corpus, load
from training.run.guards import Stopped
from training.run.loop import Run
from training.tasks.language_model import LanguageModelTask

if TYPE_CHECKING:
    from benchmarks.gpu.__main__ import Job

LEAST = 20.0  # seconds: a run is not begun with less


class ParcelledRun(Run):
    """A run whose every checkpoint is also packed into the folder that comes back."""

    parcel: Parcel

    def save(self) -> None:
        super().save()
        self.parcel.pack(self)


def run(job: Job, end: float) -> None:
    """Each recipe that is not finished, from where an earlier call left it."""
    for name in job.recipes or NAMES:
        parcel = Parcel(job.out, name)
        if parcel.is_finished():
            continue
        if not job.tiny and end - time.monotonic() < LEAST:
            return
        with tempfile.TemporaryDirectory() as folder:
            train(job, name, parcel, Path(folder), end)


def train(job: Job, name: str, parcel: Parcel, folder: Path, end: float) -> None:
    """One recipe, to its end or to the budget's."""
    config = run_config(name, TINY if job.tiny else {})
    task = LanguageModelTask(config, corpus_of(job, config))
    made = ParcelledRun(config, task, folder / name)
    made.parcel, made.stop_at = parcel, end
    parcel.unpack(made)
    try:
        for row in made.epochs():
            job.record("recipes", {"name": f"{name} epoch {row['epoch']}", **row})
    except Stopped as stop:
        job.record("recipes", {"name": f"{name} at step {made.state.steps}", "stopped": stop.line})
        return
    finally:
        log = made.directory / "log.csv"
        if log.is_file():
            shutil.copy(log, job.out / f"{name}.csv")
    best = made.state.best
    parcel.finish(folder / name)
    job.record("recipes", {"name": f"{name} finished", "best": best and round(math.fabs(best), 3)})


def corpus_of(job: Job, config: Any) -> Corpus:
    """The recipe's text; made-up sentences where it is tiny."""
    if not job.tiny:
        return load(config.data.name, job.data_dir or "data", "sentences")
    from tests.helpers.corpus import english

    text = english(60)
    return Corpus("tiny", text[:40], text[40:], text[40:], is_stream=True)
