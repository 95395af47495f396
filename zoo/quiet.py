"""Importing TensorFlow without the lines that it writes about itself.

Some of them (oneDNN, CUDA, absl) come before it looks at TF_CPP_MIN_LOG_LEVEL, so the stream itself
is held while it is imported. A user who set that variable to less than is silent here sees them,
and so does anyone for whom the import fails.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
SILENT = "3"


@contextmanager
def held_stderr(level: str = SILENT) -> Iterator[None]:
    """Nothing reaches standard error, unless the user asked for more than `level` or it fails.

    The stream is the process's, so what other threads write meanwhile is lost too.
    """
    if os.environ.setdefault(VARIABLE, level) < level:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def import_quietly(module: str) -> None:
    """Import what imports TensorFlow."""
    with held_stderr():
        importlib.import_module(module)


def quiet_when_imported(module: str = "tensorflow") -> None:
    """The first import of a module, whoever does it, is quiet: for commands that begin with it."""
    os.environ.setdefault(VARIABLE, SILENT)  # JAX would set it to 1
    if module not in sys.modules:
        sys.meta_path.insert(0, _QuietFinder(module))


class _QuietFinder(MetaPathFinder):
    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(Loader):
    """A loader that holds standard error while the module runs; else as the one that it wraps."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        with held_stderr():
            self._loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
