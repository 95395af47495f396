"""Every architecture through every check: holds, fails, or why the check has no meaning there.

    python -m benchmarks.conformance [--json] [--only NAME ...]

The checks are those of tests/helpers/conformance.py; the exit code is 1 if any fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from pathlib import Path

from tests.helpers.architectures import ARCHITECTURES
from tests.helpers.conformance import CHECKS
from tests.helpers.workshop import Workshop


def outcome(name: str, check: str, workshop: Workshop) -> str:
    """`pass`, `FAIL: why`, or the reason that there is nothing to check."""
    try:
        reason = CHECKS[check](ARCHITECTURES[name], workshop)
    except Exception as error:  # a table must be complete, whatever one check does
        traceback.print_exc(file=sys.stderr)
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"FAIL: {type(error).__name__} {' '.join(lines)[:150]}"
    return reason or "pass"


def markdown(rows: dict[str, dict[str, str]]) -> str:
    """The table, with its reasons as numbered notes."""
    notes: list[str] = []
    lines = [f"| architecture | {' | '.join(CHECKS)} |", "|---" * (len(CHECKS) + 1) + "|"]
    for name, row in rows.items():
        cells = []
        for result in row.values():
            if result != "pass" and result not in notes:
                notes.append(result)
            cells.append("pass" if result == "pass" else f"[{notes.index(result) + 1}]")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"[{i}] {note}" for i, note in enumerate(notes, 1))])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object an architecture")
    parser.add_argument("--only", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES))
    options = parser.parse_args()
    rows: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder), options.only)
        for name in options.only:
            rows[name] = {check: outcome(name, check, workshop) for check in CHECKS}
            if options.json:
                print(json.dumps({"architecture": name, **rows[name]}), flush=True)
        workshop.close()
    if not options.json:
        print(markdown(rows))
    return int(any(r.startswith("FAIL") for row in rows.values() for r in row.values()))


if __name__ == "__main__":
    sys.exit(main())
