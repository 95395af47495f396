"""Whether the threads of the inter-op pool or the caller's own thread run a session's operations.

The pool lets independent operations run side by side, but each change of threads costs time: of
two models that were measured one ran a fifth faster that way, the other a tenth slower and with
two thirds more processor time. So where cores are free the faster way is found out. As many runs as
cores stay in their callers' threads. More than that would push each other off the cores (a
translation then took twice the processor time), so the pool shares its threads among them.
"""

from __future__ import annotations

import statistics
import threading
from dataclasses import dataclass

from zoo.processors import usable_cores

TRIAL_RUNS = 16  # of each way, before one is chosen
# The pool takes more processor time, so it is only chosen when it is faster by this much.
POOL_MARGIN = 0.97


@dataclass(frozen=True)
class Concurrency:
    """How many runs there are, this one with them, for how many cores."""

    runs: int
    cores: int

    @property
    def leaves_cores_free(self) -> bool:
        """Whether the run can use cores that no other run needs; true for a lone run."""
        return self.runs == 1 or self.runs < self.cores

    @property
    def overflows(self) -> bool:
        """Whether there are more runs than cores."""
        return self.runs > self.cores


class RunCounter:
    """Counts what runs in this process."""

    def __init__(self, cores: int | None = None) -> None:
        self._cores = cores or usable_cores()
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> Concurrency:
        """Count a run in."""
        with self._lock:
            self._count += 1
            return Concurrency(self._count, self._cores)

    def __exit__(self, *details: object) -> None:
        with self._lock:
            self._count -= 1


class ThreadChoice:
    """Times the pool and the caller's thread in turns and then stays with the faster one."""

    def __init__(self) -> None:
        self.in_pool = True  # the first run, which prepares the graph, has all threads for it
        self._runs = 0
        self._seconds: dict[bool, list[float]] | None = {True: [], False: []}

    def record(self, in_pool: bool, seconds: float) -> None:
        """Note a run; several threads may do so."""
        self._runs += 1
        timed = self._seconds
        if timed is None or self._runs == 1:
            return
        timed[in_pool].append(seconds)
        if min(len(times) for times in timed.values()) < TRIAL_RUNS:
            self.in_pool = not in_pool
            return
        pool, callers = (statistics.median(timed[way]) for way in (True, False))
        self.in_pool = pool < POOL_MARGIN * callers
        self._seconds = None
