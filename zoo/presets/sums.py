"""SHA-256 of the files of a preset: written when it is saved, compared when it is loaded."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from zoo.errors import ZooError

CONFIG_FILE = "config.json"
HEX = re.compile(r"[0-9a-f]{64}")


def of_folder(folder: Path) -> dict[str, str]:
    """The sums of all files in a folder but its config.json, by their paths.

    A folder in it with a config.json of its own is a preset, which has sums of its own: of its
    files only that one counts.
    """
    return {path.relative_to(folder).as_posix(): of_file(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            own = path / CONFIG_FILE
            yield from [own] if own.is_file() else _files(path)
        elif path.name != CONFIG_FILE:
            yield path


def of_file(path: Path) -> str:
    """The sum of one file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_text(text: str) -> str:
    """The sum of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def checked_entries(entries: Any, source: Path) -> dict[str, str]:
    """The `files` of a config.json; anything but sums of files below its folder is refused."""
    if not isinstance(entries, dict):
        raise ZooError(f"{source}: 'files' is no object of names and SHA-256 sums; save it again")
    for name, expected in entries.items():
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or "\0" in name:
            raise ZooError(f"{source}: 'files' has {name!r}, which is no path in the preset")
        if not isinstance(expected, str) or not HEX.fullmatch(expected):
            raise ZooError(f"{source}: the SHA-256 of {name!r} is {expected!r:.80}; save it again")
    return entries


def check(folder: Path, expected: Mapping[str, str]) -> None:
    """Compare the files of a folder with their sums.

    Raises:
        ZooError: a file is missing, is another one, or is a pipe or device, which nobody reads.
    """
    _refuse_special(folder)
    for name, wanted in expected.items():
        path = folder / name
        try:
            found = of_file(path)
        except FileNotFoundError:
            raise ZooError(f"{path} is missing: the preset is incomplete; save it again") from None
        except (OSError, ValueError) as error:
            raise ZooError(f"cannot read {path}: {error}") from None
        if found != wanted:
            raise ZooError(
                f"{path} is damaged or was changed: its SHA-256 begins with {found[:12]}, "
                f"{CONFIG_FILE} says {wanted[:12]}; restore it or save the preset again"
            )


def _refuse_special(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.exists() and not path.is_file():
                raise ZooError(f"{path} is not a plain file; take it out of the preset")
