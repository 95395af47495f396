"""A corpus's files from their public address, laid out as in a data folder."""

from __future__ import annotations

import gzip
import socket
import threading
import urllib.request
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from training.datasets.sources import Source
from zoo.errors import ZooError
from zoo.io import cache_folder, read_text_lines, write_atomically


class Downloads(Protocol):
    """The two calls of TFDS's download manager that are used."""

    def download(self, url: str) -> object:
        """The path of the file at an address."""

    def download_and_extract(self, url: str) -> object:
        """The folder with what an archive holds."""


def download(source: Source, manager: Downloads) -> Path:
    """The folder with the files of a corpus."""
    folder = cache_folder() / "data"
    for file in source.files:
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.url.endswith(".zip"):
            archive = Path(str(manager.download_and_extract(source.url)))
            write_atomically(target, _tatoeba_lines(archive / "deu.txt", file))
        else:
            address = source.url + Path(file).name + source.suffix
            content = Path(str(manager.download(address))).read_bytes()
            packed = source.suffix == ".gz" and content[:2] == b"\x1f\x8b"
            write_atomically(target, gzip.decompress(content) if packed else content)
    return folder


def _tatoeba_lines(pairs: Path, file: str) -> str:
    """The pairs, or their English sides: each sentence is in the same part of either corpus."""
    lines = read_text_lines(pairs)
    english = dict.fromkeys(line.split("\t")[0] for line in lines)
    return "".join(f"{line}\n" for line in (english if file.endswith("eng.txt") else lines))


def tfds_folder() -> Path:
    """Where TensorFlow Datasets keeps what it has prepared."""
    return cache_folder() / "tfds"


def check_reachable(url: str, seconds: float = 6.0) -> None:
    """Refuse an address that does not answer; TensorFlow Datasets would try it for minutes.

    Args:
        url: of a file; where a proxy is set up for its scheme, the proxy must answer.
        seconds: how long it may take, the look-up of its name included.
    """
    place = urlsplit(urllib.request.getproxies().get(urlsplit(url).scheme) or url)
    host, port = place.hostname or "", place.port or (443 if place.scheme == "https" else 80)
    failed: list[OSError | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), seconds).close()
            failed.append(None)
        except OSError as error:
            failed.append(error)

    # In a thread: how long a name is looked up for nobody can say.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    reason = failed[0] if failed else TimeoutError(f"no answer in {seconds:.0f} s")
    if reason is not None:
        raise ZooError(
            f"{host} cannot be reached ({reason}); give --data-dir with the corpus's files, or "
            "connect to the network"
        )
