"""What an export says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# An empty file in a SavedModel. It asks a server for JSON that every client reads: no NaN and no
# Infinity, such as the log-probability of what a model of counts never saw.
STRICT_JSON = Path("assets.extra", "strict_json")


@dataclass(frozen=True)
class ExportReport:
    """Where the files are, their size, what they answer to, and how far from the Python model.

    `max_abs_diff` is the largest difference of any log-probability or score between the file,
    loaded again, and the model it was made from, over the check texts.
    """

    path: Path
    bytes: int
    signatures: list[str]
    max_abs_diff: float


def keep_untracked(module: object, **values: object) -> None:
    """Set attributes that TensorFlow must not follow when it saves a module.

    Following a Keras model would trace its `call` too, which no signature needs; the variables
    that the signatures use are in the module's `resources`.
    """
    for name, value in values.items():
        object.__setattr__(module, name, value)


def size_of(path: Path) -> int:
    """Bytes of a file or of all files below a directory."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
