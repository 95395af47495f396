"""The `zoo` command: one verb a call, its exit code, and what is printed.

Exit codes: 0 done; 2 bad usage or bad input, said in one line on stderr; 1 anything else.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from typing import Any

from zoo.cli.parser import build_parser
from zoo.cli.show import print_presets
from zoo.cli.verbs import list_verb
from zoo.errors import ZooError
from zoo.quiet import import_quietly
from zoo.upward import call_by_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["serve"]:  # its flags are tensorflow_model_server's, not argparse's
        return int(call_by_name("serve", words[1:]))
    options = build_parser().parse_args(words)
    try:
        if options.verb is not list_verb:
            import_quietly("keras")
        rows = options.verb(options)
        if options.verb is list_verb and not options.json and sys.stdout.isatty():
            print_presets(rows)
            return 0
        for row in rows:
            print_row(row, options)
        return 0
    except ZooError as error:
        print(f"zoo {options.name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `zoo list | head` is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"zoo {options.name}: interrupted", file=sys.stderr)
        return 1
    except Exception as error:
        if os.environ.get("ZOO_TRACEBACK"):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"zoo {options.name}: {reason[:500]} (ZOO_TRACEBACK=1 shows where)", file=sys.stderr)
        return 1


def print_row(row: dict[str, Any], options: argparse.Namespace) -> None:
    """One result: a JSON object a line, or the verb's own readable form."""
    if options.json:
        print(json.dumps(finite(row), ensure_ascii=False), flush=True)
    else:
        print(options.show(row), flush=True)


def finite(value: Any) -> Any:
    """JSON has no infinity: such a number becomes null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
