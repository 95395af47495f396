"""The model server with a clock that jumps: SIGUSR1 sets it a day on, the next one back again.

All modules but gRPC's see the jump: gRPC's compiled part reads the machine's own clock, and its
Python part compares that with `time.time`.
"""

from __future__ import annotations

import signal
import sys
import time
from types import ModuleType
from typing import Any

DAY = 86_400.0


class Clock:
    """The module `time`, perhaps a day on; what only goes forwards, `monotonic`, does not jump."""

    ahead = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead

    def jump(self, *_: object) -> None:
        """A day on, or back."""
        self.ahead = DAY - self.ahead
        for module in list(sys.modules.values()):
            if self._is_ours(module):
                module.time = self  # type: ignore[attr-defined]

    @staticmethod
    def _is_ours(module: object) -> bool:
        """Whether a module is to look at this clock from now on."""
        if not isinstance(module, ModuleType) or module is sys.modules[__name__]:
            return False
        return vars(module).get("time") is time and not module.__name__.startswith("grpc")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, Clock().jump)
    from serving.__main__ import main

    sys.exit(main())
