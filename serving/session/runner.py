"""A loaded version's graph: its runs, alone or shared, and the end of those nobody waits for.

TensorFlow can end a run before its time only together with all others of its session. So when a
run is left behind, a second session is restored beside the first and takes its place; then the
first is closed. Runs that are still wanted go over to the new one, from their beginning. The
outputs that were left behind run with a timeout from then on, so this stays rare.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from serving.codec.tensors import Fetched
from serving.errors import Code, ServingError, deadline_exceeded, invalid_argument
from serving.session.callers import current, is_past
from serving.session.gathering import ThreadBatches, Waiting
from serving.session.limits import Limits
from serving.session.lone_requests import LoneRequestDetector
from serving.session.program import Programs
from serving.session.sharing import TIMED_OUT, Outcome, SharedRuns, Sharing
from serving.session.verdicts import Ends, Verdicts

log = logging.getLogger("serving.session.runner")
# After a session could not be restored.
PAUSE_SECONDS = 10.0
Restore = Callable[[], tf.compat.v1.Session]


@dataclass(frozen=True)
class Batching:
    """How a version batches: its file's limits and what is known of its signatures at load."""

    limits: Limits
    unbatchable: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


class GraphRunner:
    """A loaded graph and its session."""

    def __init__(
        self,
        session: tf.compat.v1.Session,
        name: str = "model",
        batching: Batching | None = None,
        all_fetches: Mapping[tuple[str, ...], tuple[str, ...]] | None = None,
        restore: Restore | None = None,
    ) -> None:
        """Take a session over.

        Args:
            session: the loaded graph's.
            name: the version's, for the log.
            batching: how it batches, if it does.
            all_fetches: by what is fed, everything that is ever fetched.
            restore: makes such a session anew.
        """
        self._name, self._restore = name, restore
        self._all_fetches = all_fetches or {}
        self._overran: set[object] = set()
        self.programs = Programs(session, self._all_fetches, self)
        self._lone_requests = LoneRequestDetector()
        self._replacing = threading.Lock()
        self._retired = False
        self.limits: Limits | None = None  # set for a model that batches
        if batching is not None:
            self.limits = batching.limits
            self.verdicts = Verdicts(name, batching.unbatchable, batching.aliases)
            self._shared = SharedRuns(self._run, batching.limits, self.verdicts)
            self._batches = ThreadBatches(self._shared, batching.limits)

    def run(
        self,
        feeds: tuple[str, ...],
        arrays: Sequence[np.ndarray],
        fetches: tuple[str, ...],
        deadline: float | None = None,
    ) -> Sequence[Fetched]:
        """The values of `fetches` for these feeds, batched with other requests where it can be.

        Args:
            feeds: graph tensor names.
            arrays: one array a feed.
            fetches: graph tensor names.
            deadline: time.monotonic() after which nobody wants the answer.
        """
        ends = Ends(feeds, fetches)
        rows = self.rows_to_batch(ends, arrays)
        if not rows:
            return self._run(ends, arrays, deadline)
        request = Waiting(list(arrays), rows, deadline, current())
        with self._lone_requests as alone:
            if not alone:
                return self._batches.run(ends, request)
            outcome = self._shared.run_alone(ends, request)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def rows_to_batch(self, ends: Ends, arrays: Sequence[np.ndarray]) -> int:
        """How many rows a request brings into a batch; 0 for one that can only run by itself.

        Raises:
            ServingError: INVALID_ARGUMENT for more rows than a batch may have.
        """
        if self.limits is None or self.verdicts.of(ends).refused:
            return 0
        sizes = {array.shape[0] if array.ndim else 0 for array in arrays}
        rows = sizes.pop() if len(sizes) == 1 else 0
        if rows > self.limits.rows:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {self.limits.rows}"
            )
        return rows

    def run_batch(self, ends: Ends, requests: Sequence[Sharing], alone: bool) -> Sequence[Outcome]:
        """What each of these requests ends with; `alone`: there is one and nothing else runs."""
        if alone:
            return [self._shared.run_alone(ends, request) for request in requests]
        return self._shared.run(ends, requests)

    def _run(
        self, ends: Ends, arrays: Sequence[np.ndarray], deadline: float | None
    ) -> list[Fetched]:
        programs = self.programs
        try:
            return programs.run(ends, arrays, deadline)
        except tf.errors.CancelledError:
            if programs is self.programs and not self._retired:
                raise
        # The session was closed because of some run, perhaps this one.
        if is_past(deadline, time.monotonic()):
            raise deadline_exceeded(TIMED_OUT)
        waiter = current()
        if (waiter is not None and waiter.gone) or programs is self.programs:
            raise ServingError(Code.CANCELLED, "the request was given up")
        return self.programs.run(ends, arrays, deadline)

    # Runs that nobody waits for ---------------------------------------------------------------

    def end_runs(self, unwanted: Sequence[object], others: int) -> None:
        """Called by the watchdog; takes no time."""
        if self._retired and not others:
            self.abort()
        elif self._retired or self._restore is None:
            return
        elif self._replacing.acquire(blocking=False):
            ends = set(unwanted)
            work = threading.Thread(target=self._replace, args=(ends, self._restore), daemon=True)
            work.start()

    def _replace(self, ends: set[object], restore: Restore) -> None:
        try:
            log.warning("%s: a run is left behind; the session is restored to end it", self._name)
            self._overran |= ends
            started = time.monotonic()
            session = restore()
            old = self.programs
            self.programs = Programs(session, self._all_fetches, self, self._overran)
            old.close()
            log.info("%s: restored in %.2f s", self._name, time.monotonic() - started)
        except Exception as error:
            log.error("%s: cannot be restored, so the run goes on: %s", self._name, error)
            time.sleep(PAUSE_SECONDS)
        finally:
            self._replacing.release()

    def retire(self) -> None:
        """No new requests will come: runs that nobody waits for may take the session with them."""
        self._retired = True

    def abort(self) -> None:
        """Cancel every run; none can follow."""
        self._retired = True
        self.programs.session.close()

    def close(self) -> None:
        """Give the session's memory back; no request may be running."""
        self._retired = True
        with self._replacing:
            self.programs.close()
