"""Other people's programs, for tests that are skipped loudly where one is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings

import pytest

PARSE = """
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => JSON.parse(text))));
"""


def skip(what: str) -> None:
    """Skip a test and let the summary say so."""
    message = f"{what} is not installed: its requests are NOT tested"
    warnings.warn(message, pytest.PytestWarning, stacklevel=3)
    pytest.skip(message)


def require(program: str) -> None:
    """Skip without a program."""
    if shutil.which(program) is None:
        skip(program)


def run(command: list[str], given: str = "") -> str:
    """What a program prints."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def parsed_by_javascript(bodies: list[bytes]) -> list[object]:
    """What a browser's `JSON.parse` makes of answers."""
    require("node")
    return json.loads(run(["node", "-e", PARSE], json.dumps([body.decode() for body in bodies])))
