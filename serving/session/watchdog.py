"""Finding the runs that nobody waits for any more.

A run is noted by its thread when it starts and forgotten when it ends, which takes two
microseconds; a thread looks at the notes now and then, and sleeps while there are none.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from threading import get_ident
from typing import Protocol

from serving.session.callers import Waiter, current, is_past

INTERVAL_SECONDS = 0.25
# A run may end by itself meanwhile; giving it up costs more than this.
GRACE_SECONDS = 1.0


class Owner(Protocol):
    """What can end its runs."""

    def end_runs(self, unwanted: Sequence[object], others: int) -> None:
        """End runs; called again while any is left.

        Args:
            unwanted: what each of them runs.
            others: how many more there are.
        """


# Whose run, what it runs, its deadline, and who waits for it: an object for each run.
Note = tuple[Owner, object, float | None, Waiter | None]
# By thread: a run and since when nobody waits for it.
Unwanted = dict[int, tuple[Note, float]]


def is_unwanted(note: Note, now: float) -> bool:
    """Whether nobody waits for a run any more."""
    _, _, deadline, waiter = note
    return is_past(deadline, now) or (waiter is not None and waiter.gone)


class Watchdog:
    """Looks at the runs of a process; its thread starts with the first of them."""

    def __init__(self, interval: float = INTERVAL_SECONDS, grace: float = GRACE_SECONDS) -> None:
        self.interval, self.grace = interval, grace
        # By thread; a place stays, as adding and removing it would take longer than all else.
        self._notes: dict[int, Note | None] = {}
        self._awake = threading.Event()
        self._asleep = True
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def started(self, owner: Owner, what: object, deadline: float | None) -> int:
        """Note a run of the calling thread."""
        thread = get_ident()
        self._notes[thread] = (owner, what, deadline, current())
        if self._asleep:
            self._wake()
        return thread

    def ended(self, thread: int) -> None:
        """Forget a run."""
        self._notes[thread] = None

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return all(note is None for note in self._notes.copy().values())

    def _wake(self) -> None:
        self._asleep = False  # once is enough
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True, name="watchdog")
                self._thread.start()
        self._awake.set()

    def _watch(self) -> None:
        since: Unwanted = {}
        while True:
            self._sleep_while_idle()
            time.sleep(self.interval)
            since = self._look(since)

    def _look(self, since: Unwanted) -> Unwanted:
        """Have runs ended that were unwanted for long enough; since when others are unwanted."""
        now = time.monotonic()
        notes = {t: note for t, note in self._notes.copy().items() if note is not None}
        unwanted: Unwanted = {}
        for thread, note in notes.items():
            if is_unwanted(note, now):
                before = since.get(thread)
                is_same = before is not None and before[0] is note
                unwanted[thread] = before if before is not None and is_same else (note, now)
        overdue: dict[Owner, list[object]] = defaultdict(list)
        for thread, (note, start) in unwanted.items():
            if now - start >= self.grace:
                overdue[note[0]].append(note[1])
                unwanted[thread] = (note, now)  # ending it takes a moment, too
        for owner, what in overdue.items():
            owner.end_runs(what, sum(note[0] is owner for note in notes.values()) - len(what))
        return unwanted

    def _sleep_while_idle(self) -> None:
        if not self.idle:
            return
        self._awake.clear()
        self._asleep = True
        # A run that was noted before this thread was asleep did not wake it.
        if self.idle:
            self._awake.wait()
        self._asleep = False


WATCHDOG = Watchdog()
