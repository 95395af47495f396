"""Reading text, writing files and folders so that nobody ever reads half of one, and the cache."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.errors import ZooError

CACHE_VARIABLE = "ZOO_CACHE"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # which some editors write in front of UTF-8 text


def iter_text_lines(stream: Iterable[bytes], name: str | os.PathLike[str]) -> Iterator[str]:
    r"""The lines of UTF-8 text, which LF or CR LF ends, as they are read; the last may be unended.

    A byte order mark at the start is left out; what is no text is refused where it comes.

    Args:
        stream: a binary file, or its lines with their ends.
        name: the file, for the message.
    """
    place = 0  # bytes before the line
    for line in stream:
        content = line.removeprefix(BYTE_ORDER_MARK) if place == 0 else line
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong = place + len(line) - len(content) + error.start
            raise ZooError(f"{name} is not UTF-8 (byte {wrong}); convert it first") from None
        if "\0" in text:
            raise ZooError(f"{name} holds NUL characters: not a text file")
        place += len(line)
        if not content:  # the mark alone, in a file of nothing else
            continue
        yield text.removesuffix("\n").removesuffix("\r")


def text_lines(data: bytes, name: str | os.PathLike[str]) -> list[str]:
    r"""All lines of UTF-8 text, as `iter_text_lines` has them.

    Example:
        >>> text_lines(b"\xef\xbb\xbfone\r\n\nthree\n", "a.txt")
        ['one', '', 'three']
    """
    return list(iter_text_lines(io.BytesIO(data), name))


def read_text_lines(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a UTF-8 text file, as `text_lines` has them."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ZooError(f"cannot read {path}: {error.strerror}") from None
    return text_lines(data, path)


@contextmanager
def replaced_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path`; what is written there takes its place if the block ends without error.

    Example:
        >>> with replaced_file("/tmp/zoo_example.txt") as temporary:
        ...     _ = temporary.write_text("all or nothing")
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(_mode_of(target))
        os.replace(temporary, target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a whole file, or leave what was there."""
    with replaced_file(path) as temporary:
        data = content.encode("utf-8") if isinstance(content, str) else content
        temporary.write_bytes(data)


@contextmanager
def replaced_directory(target: Path) -> Iterator[Path]:
    """A temporary directory that takes the place of `target` when the block ends without error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def cache_folder() -> Path:
    """Where downloads and exports are kept: $ZOO_CACHE, else the user's, else a temporary one."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    import platformdirs  # here, so that training alone does without it

    folder = Path(platformdirs.user_cache_dir("recurrent-zoo", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _temporary_cache()
    return folder if os.access(folder, os.W_OK) else _temporary_cache()


def _temporary_cache() -> Path:
    """A folder below the temporary one, where anybody may have put something by that name."""
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()) / f"recurrent-zoo{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if not (stat.S_ISDIR(found.st_mode) and is_own and not found.st_mode & 0o022):
        raise ZooError(
            f"the cache folder {folder} belongs to another user, can be written by others, or is "
            f"no folder; remove it, or set {CACHE_VARIABLE} to a folder of your own"
        )
    return folder


def _mode_of(target: Path) -> int:
    """The permissions of the file that is replaced; else what a new file gets."""
    with suppress(FileNotFoundError):
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _swap(temporary: Path, target: Path) -> None:
    """Rename `temporary` to `target`; a directory cannot be renamed over a full one."""
    if not target.exists():
        os.rename(temporary, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    os.rename(target, old / target.name)
    try:
        os.rename(temporary, target)
    except BaseException:
        os.rename(old / target.name, target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
