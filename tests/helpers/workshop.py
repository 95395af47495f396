"""What the checks of `tests.helpers.conformance` share and make once."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.architectures import ARCHITECTURES, made

ROOT = Path(__file__).parents[2]
# A graph runs once, so its compilation is what takes time.
QUIET_AND_QUICK = {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


class Workshop:
    """What checks share: presets of all models, other processes' answers, one server.

    Args:
        folder: for what they write.
        names: the architectures that are exported, loaded by a fresh process, and asked for
            answers there; None for all. JAX gives the losses and gradients of all.
    """

    def __init__(self, folder: Path, names: list[str] | None = None) -> None:
        self.folder = folder
        self.names = list(ARCHITECTURES) if names is None else names
        self._open = ExitStack()

    @cached_property
    def presets(self) -> Path:
        """Every architecture's preset."""
        folder = self.folder / "presets"
        for name, architecture in ARCHITECTURES.items():
            made(architecture).save_to_preset(folder / name)
        return folder

    @cache  # noqa: B019
    def answers_on(self, backend: str) -> dict[str, np.ndarray]:
        """Losses and gradients that a fresh process with this backend finds for the presets."""
        target = self.folder / f"{backend}.npz"
        names = list(ARCHITECTURES) if backend == "jax" else self.names
        subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.helpers.losses",
                str(self.presets),
                str(target),
                ",".join(names),
                ",".join(self.names),
            ],
            check=True,
            cwd=ROOT,
            env={**os.environ, "KERAS_BACKEND": backend, **QUIET_AND_QUICK},
        )
        return dict(np.load(target))

    @cache  # noqa: B019
    def exported(self, name: str) -> Any:
        """An architecture's SavedModel; its report."""
        from export.saved_model.exporter import export_saved_model

        return export_saved_model(made(ARCHITECTURES[name]), self.folder / "exported" / name)

    @cached_property
    def client(self) -> Any:
        """A client of one server that serves every architecture."""
        from serving.client import Client
        from tests.serving.running import running

        for name in self.names:
            self.exported(name)
        entries = (
            f'config {{ name: "{name}" base_path: "{self.folder / "exported" / name}" '
            'model_platform: "tensorflow" }'
            for name in self.names
        )
        config = self.folder / "models.config"
        config.write_text("model_config_list { " + " ".join(entries) + " }")
        address = self._open.enter_context(running(f"--model_config_file={config}"))
        return self._open.enter_context(Client(address.grpc, timeout=120))

    def close(self) -> None:
        self._open.close()
