"""Which sets of outputs may share runs, as far as is known, and when that is checked again."""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Mapping
from typing import NamedTuple

log = logging.getLogger("serving.session.verdicts")
FIRST_CHECKS = 4
# Doubts (failed shared runs, other words where rounding may have decided) before it is final.
MOST_DOUBTS = 2
MOST_VERDICTS = 256


class Ends(NamedTuple):
    """What is fed and what is fetched: graph tensor names."""

    feeds: tuple[str, ...]
    fetches: tuple[str, ...]


class Check(enum.Enum):
    """Which requests of a shared run are run separately as well."""

    ALL = enum.auto()
    SAMPLE = enum.auto()
    NONE = enum.auto()


class Verdict:
    """Whether a set of outputs may share runs, as far as is known."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.refused = self.probed = False
        self._runs = self._doubts = 0

    def next_check(self) -> Check:
        """Count a shared run; how it is to be checked."""
        self._runs += 1
        if self._runs <= FIRST_CHECKS:
            return Check.ALL
        return Check.SAMPLE if self._runs & (self._runs - 1) == 0 else Check.NONE

    def doubt(self) -> bool:
        """Check the next runs again; True when there were too many doubts."""
        self._doubts += 1
        self._runs = 0
        return self._doubts >= MOST_DOUBTS


class Verdicts:
    """What is known about the outputs of a version."""

    def __init__(
        self, model: str, unbatchable: Mapping[str, tuple[str, str]], aliases: Mapping[str, str]
    ) -> None:
        self._model, self._aliases = model, aliases
        self._refused: set[str] = set()
        self._verdicts: dict[Ends, Verdict] = {}
        self._lock = threading.Lock()
        for tensor, (what, why) in unbatchable.items():
            self._refuse(tensor, what, why)

    def of(self, ends: Ends) -> Verdict:
        """The verdict on a set of outputs."""
        verdict = self._verdicts.get(ends)
        if verdict is not None:
            return verdict
        with self._lock:
            if len(self._verdicts) >= MOST_VERDICTS:
                self._verdicts.pop(next(iter(self._verdicts)))
            verdict = self._verdicts[ends] = Verdict()
        verdict.refused = not self._refused.isdisjoint((*ends.feeds, *ends.fetches))
        return verdict

    def refuse(self, ends: Ends, tensor: str, why: str) -> None:
        """Never share a run that fetches this tensor."""
        self.of(ends).refused = True
        self._refuse(tensor, self._aliases.get(tensor, tensor), why)
        with self._lock:
            for other, verdict in self._verdicts.items():
                verdict.refused |= tensor in other.fetches

    def doubt(self, ends: Ends, tensor: str, why: str) -> None:
        """Refuse if it is not the first time."""
        if self.of(ends).doubt():
            self.refuse(ends, tensor, why)

    def _refuse(self, tensor: str, what: str, why: str) -> None:
        with self._lock:
            if tensor in self._refused:
                return
            self._refused.add(tensor)
        log.warning("%s: requests for %s are never batched: %s", self._model, what, why)
