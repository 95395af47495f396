"""Weights that are not in this installation: from a release's address, once, to the cache.

The code-only wheel has each preset's config.json, which names its files and their SHA-256; a file
that is another one is refused. A release is those folders as they are, at `ADDRESS/NAME/FILE`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from zoo.errors import ZooError
from zoo.io import cache_folder, replaced_directory
from zoo.presets import sums

ADDRESS_VARIABLE, OFFLINE_VARIABLE = "ZOO_RELEASES", "ZOO_OFFLINE"
ADDRESS = ""  # of this version's release, once there is one
CARD_FILE = "card.md"
IN_SMALL_WHEEL = (sums.CONFIG_FILE, CARD_FILE)
CHUNK = 1 << 16
SECONDS = 30  # without a byte
MOST_BYTES = 1 << 31

Tick = Callable[[int], None]


def complete(preset: Path, files: Callable[[], Mapping[str, str]]) -> Path:
    """The preset's folder if its weights lie there, else the cache's with all of its files.

    Args:
        preset: a folder of the package.
        files: the SHA-256 of its files by name; asked for only if something is missing.

    Raises:
        ZooError: they cannot be had: offline, no address, no answer, or another file.
    """
    if any(path.name not in IN_SMALL_WHEEL for path in preset.iterdir()):
        return preset
    config = (preset / sums.CONFIG_FILE).read_bytes()
    target = cache_folder() / "presets" / hashlib.sha256(config).hexdigest()[:16] / preset.name
    if not target.is_dir():
        address = _address(preset.name)
        with replaced_directory(target) as folder, _bar(preset.name) as tick:
            shutil.copyfile(preset / sums.CONFIG_FILE, folder / sums.CONFIG_FILE)
            _fetch_all(address, folder, files(), tick)
    return target


def _address(name: str) -> str:
    """Where the preset's files are."""
    where = f"the weights of {name!r} are not in this installation"
    if os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
        raise ZooError(
            f"{where}, and {OFFLINE_VARIABLE}={os.environ[OFFLINE_VARIABLE]} forbids fetching "
            "them; unset it, or install the full wheel"
        )
    base = os.environ.get(ADDRESS_VARIABLE) or ADDRESS
    if not base:
        raise ZooError(
            f"{where}; set {ADDRESS_VARIABLE} to the address of a release, or install the full "
            "wheel"
        )
    if urlsplit(base).scheme not in ("http", "https"):
        raise ZooError(f"{ADDRESS_VARIABLE}={base}: give an address with https: or http:")
    return f"{base.rstrip('/')}/{quote(name)}"


def _fetch_all(address: str, folder: Path, files: Mapping[str, str], tick: Tick) -> None:
    """Fetch a preset's files, and those of the presets in it, which have a list of their own."""
    for name, expected in files.items():
        if name == CARD_FILE:  # for people; it may have been edited since
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(f"{address}/{quote(name)}", path, expected, tick)
        if path.name == sums.CONFIG_FILE:
            inner = json.loads(path.read_text(encoding="utf-8")).get("files", {})
            checked = sums.checked_entries(inner, path)
            _fetch_all(f"{address}/{quote(name)}".rpartition("/")[0], path.parent, checked, tick)


def _fetch(url: str, path: Path, expected: str, tick: Tick) -> None:
    """One file, held against its sum."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer, path.open("wb") as file:
            found = _copied(answer, file, url, tick)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise ZooError(
            f"cannot fetch {url}: {reason}; try again, or install the full wheel"
        ) from None
    if found != expected:
        raise ZooError(
            f"{url} is another file than this version's: its SHA-256 begins with {found[:12]}, not "
            f"{expected[:12]}; check {ADDRESS_VARIABLE}"
        )


def _copied(answer: BinaryIO, file: BinaryIO, url: str, tick: Tick) -> str:
    """Copy what comes; its SHA-256."""
    digest, size = hashlib.sha256(), 0
    while chunk := answer.read(CHUNK):
        size += len(chunk)
        if size > MOST_BYTES:
            raise ZooError(f"{url} goes on beyond {MOST_BYTES} bytes; check {ADDRESS_VARIABLE}")
        file.write(chunk)
        digest.update(chunk)
        tick(len(chunk))
    return digest.hexdigest()


@contextmanager
def _bar(name: str) -> Iterator[Tick]:
    """A bar on a terminal's stderr: how much has come, and how quickly."""
    if not sys.stderr.isatty():
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(*columns, TransferSpeedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(f"fetching {name}", total=None)
        yield lambda size: bar.advance(task, size)
