"""`python -m serving` and the console script `zoo-model-server`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

from serving.session.parallelism import own_thread_pools

# TensorFlow reads it when it is imported; a server's log should be the server's.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the embedded model server; returns the process's exit code."""
    own_thread_pools()
    with without_jax():
        from serving.server import run

        return run(sys.argv[1:] if argv is None else argv)


@contextlib.contextmanager
def without_jax() -> Iterator[None]:
    """Hide JAX: TensorFlow imports it where it is installed, for a converter no server uses."""
    hide = "jax" not in sys.modules
    if hide:
        sys.modules["jax"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hide:
            del sys.modules["jax"]


if __name__ == "__main__":
    sys.exit(main())
