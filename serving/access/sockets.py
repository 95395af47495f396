"""How many connections the process has room for."""

from __future__ import annotations

import resource

# Files that are no connections: models, logs, what TensorFlow opens.
OTHER_FILES = 256
MOST_FILES = 65536


def room_for(connections: int) -> int:
    """As many as are wanted, or the half of the process's files that one interface may have."""
    return max(1, min(connections, (open_files() - OTHER_FILES) // 2))


def open_files() -> int:
    """Files that this process may open, raised to what the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY:
        return MOST_FILES
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a sandbox may forbid it
        return soft
    return wanted
