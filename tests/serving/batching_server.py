"""A server with batching on the test models, for the tests of both interfaces."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.serving.running import running

SLOW = 200_000  # steps of the model `loop` that take a good part of a second
PARAMETERS = """max_batch_size {{ value: {rows} }} batch_timeout_micros {{ value: 50000 }}
max_enqueued_batches {{ value: 2 }} num_batch_threads {{ value: 1 }}"""


@contextlib.contextmanager
def batching_server(models: Path, folders: Any, *flags: str, rows: int = 32) -> Iterator[Any]:
    """Its address; `folders` is pytest's tmp_path_factory."""
    path = folders.mktemp("batching") / "batching.config"
    path.write_text(PARAMETERS.format(rows=rows))
    batching = ("--enable_batching", f"--batching_parameters_file={path}")
    with running(f"--model_config_file={models}/models.config", *batching, *flags) as address:
        yield address


def counted(address: Any, model: str, status: str) -> float:
    """Requests of a model that ended with a status so far."""
    return address.server.metrics.request_count._values.get((model, status), 0)
