"""What keeps a run's files whole: one run a directory, and one line where there is no room."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from zoo.errors import ZooError

LOCK_FILE = "lock"
# HDF5 says what the system said inside a longer text.
HDF5_ERRNO = re.compile(r"errno = (\d+)")
CANNOT_WRITE = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES}


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """A run's directory for this process alone; the system lets go of it however the process ends.

    Raises:
        ZooError: another process has it; the message says which.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / LOCK_FILE
    with path.open("a+", encoding="utf-8") as file:
        if not (_locked(file.fileno()) and _is_there(path, file.fileno())):
            file.seek(0)
            holder = file.read(200).strip() or "another process"
            raise ZooError(f"{directory} is being written by {holder}; give another --out, or wait")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):
                directory.rmdir()  # a run by counting leaves nothing in it


def _is_there(path: Path, descriptor: int) -> bool:
    """Whether the file that was locked is still the one that others open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _locked(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


class Stopped(SystemExit):
    """The end of a run that was told to stop; its code is the shell's for SIGTERM."""

    def __init__(self, steps: int, checkpoint: Path) -> None:
        super().__init__(128 + signal.SIGTERM)
        self.line = f"stopped after step {steps}: {checkpoint} is written; go on with --resume"


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Signals that ask the process to end (SIGTERM: preemption) are put into the list instead.

    Only the main thread may set signal handlers; elsewhere the list stays empty.
    """
    asked: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def told_of_full_disks(directory: Path) -> Iterator[None]:
    """What cannot be written ends a run in one line; what was written before is as it was."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        code = error.errno if isinstance(error, OSError) else None
        found = HDF5_ERRNO.search(str(error))
        code = int(found[1]) if found else code
        if code not in CANNOT_WRITE:
            raise
        raise ZooError(
            f"cannot write below {directory.parent}: {os.strerror(code)}; what was written before "
            "is whole: make room, then go on with --resume"
        ) from None
