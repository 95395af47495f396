"""Models and servers that the serving tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the test models and their models.config."""
    from tests.serving.models import write_all

    directory = tmp_path_factory.mktemp("models")
    write_all(directory)
    return directory


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of requests of each batch from now on."""
    from serving.batching import requests

    sizes: list[int] = []
    run = requests.run_batch
    monkeypatch.setattr(
        requests, "run_batch", lambda batch, alone: (sizes.append(len(batch)), run(batch, alone))
    )
    return sizes
