"""What a model's batching file allows, read once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from serving.config import files


@dataclass(frozen=True)
class Limits:
    """Rows in a batch, seconds that a part-full batch waits, batches that may run and wait.

    `parallel_batches` of them are meant to run side by side; more only where one takes unusually
    long. A run has one of the `sizes`, if there are any, and at most `most_rows_of_run` rows. One
    that has not is filled up, or with `batch_down` leaves to the next what is above a size.
    """

    rows: int
    timeout: float
    threads: int
    queue: int
    parallel_batches: int = 1
    sizes: tuple[int, ...] = ()
    most_rows_of_run: int | None = None
    batch_down: bool = False

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
            tuple(parameters.allowed_batch_sizes),
            files.execution_batch_size(parameters),
            parameters.batch_padding_policy.value == files.BATCH_DOWN,
        )

    @property
    def largest_run(self) -> int:
        """The most rows of one run."""
        return self.most_rows_of_run or self.rows

    def padded(self, rows: int) -> int:
        """The allowed size that so many rows are filled up to."""
        place = bisect_left(self.sizes, rows)
        return self.sizes[place] if place < len(self.sizes) else rows

    def run_now(self, rows: Sequence[int]) -> int:
        """How many of a batch's requests, by the rows of each, run now; the others wait on."""
        total = sum(rows)
        size = next((size for size in reversed(self.sizes) if size <= total), None)
        if not self.batch_down or size in (None, total) or total > self.sizes[-1]:
            return len(rows)
        sums = list(accumulate(rows))
        return sums.index(size) + 1 if size in sums else len(rows)
