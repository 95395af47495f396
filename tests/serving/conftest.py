"""Models and servers that the serving tests share."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def frozen_imports() -> None:
    """As in a server: what is there at the start stays, so unloading a model collects quickly."""
    gc.collect()
    gc.freeze()


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


CERTIFICATES = Path(__file__).parent / "certificates"


@pytest.fixture(scope="session")
def write_tls(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes an SSLConfig file of the tests' certificates; arguments replace its fields."""

    def write(**fields: str | bool) -> Path:
        text = {
            "server_key": (CERTIFICATES / "server.key").read_text(),
            "server_cert": (CERTIFICATES / "server.pem").read_text(),
            "custom_ca": (CERTIFICATES / "ca.pem").read_text(),
            **fields,
        }
        path = tmp_path_factory.mktemp("tls") / "ssl.config"
        path.write_text("\n".join(f"{name}: {json.dumps(value)}" for name, value in text.items()))
        return path

    return write


@pytest.fixture(scope="session")
def tls_files(write_tls: Callable[..., Path]) -> tuple[Path, Path]:
    """An SSLConfig file, and the authority that its server's certificate is trusted by."""
    return write_tls(), CERTIFICATES / "ca.pem"
