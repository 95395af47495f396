"""What a run leaves to look at: one CSV row an epoch, and TensorBoard scalars."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import keras

from zoo.io import replaced_file


class RunLog:
    """Rows of one epoch each, rewritten atomically, so a resumed run has no row twice.

    Args:
        directory: where log.csv and tensorboard/ go.
        done: epochs that a resumed run has behind it; later rows are dropped.
    """

    def __init__(self, directory: Path, done: int = 0) -> None:
        self.path = directory / "log.csv"
        self.rows = [row for row in _read(self.path) if int(row["epoch"]) <= done] if done else []
        self.writer = _tensorboard_writer(directory / "tensorboard")

    def add(self, row: dict[str, Any]) -> None:
        """Record an epoch's row (keys as `zoo train --json` prints them)."""
        self.rows.append({key: str(value) for key, value in row.items()})
        with (
            replaced_file(self.path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerows(self.rows)
        self._to_tensorboard(row)

    def _to_tensorboard(self, row: dict[str, Any]) -> None:
        if self.writer is None:
            return
        import tensorflow as tf

        with self.writer.as_default(step=int(row["epoch"])):
            for key, value in row.items():
                if isinstance(value, int | float):
                    tf.summary.scalar(key, value)
        self.writer.flush()


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _tensorboard_writer(directory: Path) -> Any:
    """TensorFlow writes the event files; where another backend trains, it is not imported."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.summary.create_file_writer(str(directory))
