"""How many processor cores there are to use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores this process may run on, which a container or `taskset` can make fewer than all."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone tells them
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
