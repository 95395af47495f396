"""Importing TensorFlow for a server that should start quickly."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from zoo.quiet import held_stderr

SERVER_LEVEL = "2"  # what TensorFlow writes later: errors, for the server's log


class _WithoutJax(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "jax":
            raise ModuleNotFoundError("JAX is not imported with TensorFlow", name=fullname)
        return None


def import_tensorflow() -> None:
    """Import TensorFlow as it imports itself where JAX is not installed.

    Where it is, TensorFlow's TFLite converter, which no server uses, imports all of it: measured
    on two cores, a start then took 5.9 s instead of 4.3. JAX is out of reach for this one import
    only; whoever wants it later gets it.
    """
    if "tensorflow" in sys.modules:
        return
    finder = _WithoutJax()
    sys.meta_path.insert(0, finder)
    try:
        with held_stderr(SERVER_LEVEL):
            tensorflow = importlib.import_module("tensorflow")
            # Where there is no GPU it complains of that once: now, and not into the server's log.
            tensorflow.config.list_physical_devices()
    finally:
        sys.meta_path.remove(finder)
