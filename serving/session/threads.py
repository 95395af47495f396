"""Whether a session's run is handed to the pool's threads or stays in the caller's.

Handing over lets independent operations run side by side, but each change of threads costs time: of
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

RUNS = 16  # of each way, before one is chosen
WORTH = 0.97  # the pool takes more processor time, so it must be faster by this much


@dataclass(frozen=True)
class Load:
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


class Running:
    """Counts what runs in this process."""

    def __init__(self, cores: int | None = None) -> None:
        self._cores = cores or usable_cores()
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> Load:
        """Count a run in."""
        with self._lock:
            self._count += 1
            return Load(self._count, self._cores)

    def __exit__(self, *details: object) -> None:
        with self._lock:
            self._count -= 1


class Trial:
    """Tries both ways in turns and then stays with the faster one."""

    def __init__(self) -> None:
        self.hand_over = True  # the first run, which prepares the graph, has all threads for it
        self._runs = 0
        self._seconds: dict[bool, list[float]] | None = {True: [], False: []}

    def took(self, hand_over: bool, seconds: float) -> None:
        """Note a run; several threads may do so."""
        self._runs += 1
        tried = self._seconds
        if tried is None or self._runs == 1:
            return
        tried[hand_over].append(seconds)
        if min(len(times) for times in tried.values()) < RUNS:
            self.hand_over = not hand_over
            return
        pool, callers = (statistics.median(tried[way]) for way in (True, False))
        self.hand_over = pool < WORTH * callers
        self._seconds = None
