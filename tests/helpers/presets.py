"""Presets as others may have made them: other files under old sums, new ones, or none."""

from __future__ import annotations

import json
from pathlib import Path

from zoo.presets import sums


def write_sums(folder: Path, files: dict[str, str] | None) -> None:
    path = folder / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["files"] = files or {}
    path.write_text(json.dumps(content), encoding="utf-8")


def without_sums(folder: Path) -> Path:
    """The preset as older versions saved it."""
    write_sums(folder, None)
    return folder


def with_new_sums(folder: Path) -> Path:
    """The preset with the sums of the files that it has now."""
    write_sums(folder, sums.of_folder(folder))
    return folder
