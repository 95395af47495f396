"""`python -m serving` and the console script `zoo-model-server`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from serving.server import run
from serving.session.parallelism import own_thread_pools

# TensorFlow reads it when it is imported; a server's log should be the server's.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the embedded model server; returns the process's exit code."""
    own_thread_pools()
    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
