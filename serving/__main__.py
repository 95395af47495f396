"""`python -m serving` and the console script `zoo-model-server`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from serving.options import wants_supervisor
from serving.process.supervisor import supervise
from serving.server import run
from serving.session.parallelism import own_thread_pools

# TensorFlow reads it when it is imported; a server's log should be the server's.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the embedded model server; returns the process's exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if wants_supervisor(arguments):
        return supervise(arguments)
    own_thread_pools()
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
