"""`make bench`: every benchmark in its short form, one after another.

Each can be run alone, with more rounds and with `--json`: see `python -m benchmarks.NAME --help`.
"""

from __future__ import annotations

import subprocess
import sys

SHORT: dict[str, list[str]] = {
    "recurrence": ["--rounds", "3"],
    "language_model": ["--rounds", "3"],
    "decode": ["--rounds", "3"],
    "tokenizer": [],
    "ngram": [],
    "device": ["--rounds", "200"],
    "device_recurrence": ["--rounds", "50"],
    "serving": ["--seconds", "3"],
    "attack": ["--seconds", "3", "--rounds", "1"],
}


def main() -> int:
    """Run them all; the exit code is 1 if any failed."""
    failed = []
    for name, arguments in SHORT.items():
        print(f"== benchmarks.{name} {' '.join(arguments)}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False)
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
