"""What a model's batching file allows, read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Rows in a batch, seconds that a part-full batch waits, batches that may run and wait.

    `parallel_batches` of them are meant to run side by side; more only where one takes unusually
    long.
    """

    rows: int
    timeout: float
    threads: int
    queue: int
    parallel_batches: int = 1

    @classmethod
    def of(cls, parameters: Any, parallel_batches: int = 1) -> Limits:
        """From BatchingParameters with their defaults filled in."""
        threads = parameters.num_batch_threads.value
        return cls(
            parameters.max_batch_size.value,
            parameters.batch_timeout_micros.value / 1e6,
            threads,
            parameters.max_enqueued_batches.value,
            min(parallel_batches, threads),
        )
