"""Batches of texts with labels: rows of like length together, as those of language models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.tasks.batches import WIDTH_MULTIPLE, Batch
from zoo.text.padding import pad


@dataclass(frozen=True)
class LabelledRow:
    """A text's ids with its ends, and the number of each id's label, or of the text's alone.

    A label below 0 is not counted.
    """

    ids: Sequence[int]
    labels: Sequence[int]


def label_batches(
    rows: Sequence[LabelledRow], batch_size: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """Batches of equally many rows; the last of few is filled with rows that do not count.

    Each has `ids` [batch, time], `mask` [batch, time] (False at padding), `targets` and `weights`
    (1 where a label counts), both [batch, time] or [batch].
    """
    order = rng.permutation(len(rows))
    lengths = np.array([len(rows[i].ids) for i in order])
    order = order[np.argsort(lengths, kind="stable")]
    starts = np.arange(0, len(order), batch_size)
    rng.shuffle(starts)
    for start in starts:
        yield label_batch([rows[i] for i in order[start : start + batch_size]], batch_size)


def label_batch(rows: Sequence[LabelledRow], batch_size: int) -> Batch:
    """One batch of at most `batch_size` rows."""
    ids, lengths = pad([row.ids for row in rows], WIDTH_MULTIPLE, batch_size)
    lengths[len(rows) :] = 1  # a row without any step has no state to read a label from
    mask = np.arange(ids.shape[1]) < lengths[:, None]
    of_words = len(rows[0].labels) == len(rows[0].ids)
    targets = np.full(ids.shape if of_words else (batch_size, 1), -1, np.int32)
    for target, row in zip(targets, rows, strict=False):
        target[: len(row.labels)] = row.labels
    targets = targets if of_words else targets[:, 0]
    weights = (targets >= 0).astype(np.float32)
    return {"ids": ids, "mask": mask, "targets": np.maximum(targets, 0), "weights": weights}
