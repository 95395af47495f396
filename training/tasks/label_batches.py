"""Batches of texts with labels: rows of like length together, as those of language models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.tasks.batches import WIDTH_MULTIPLE, Batch
from training.tasks.widths import MOST_SHAPES, few_shapes
from zoo.text.padding import pad


@dataclass(frozen=True)
class LabelledRow:
    """A text's ids with its ends, and the number of each id's label, or of the text's alone.

    A label below 0 is not counted.
    """

    ids: Sequence[int]
    labels: Sequence[int]


def label_batches(
    rows: Sequence[LabelledRow],
    batch_size: int,
    rng: np.random.Generator,
    widths: Sequence[int] = (),
) -> Iterator[Batch]:
    """Batches of equally many rows; the last of few is filled with rows that do not count.

    A batch becomes as wide as the first of `widths` (`batch_widths`) that its rows fit into. It has
    `ids` [batch, time], `mask` [batch, time] (False at padding), `targets` and `weights` (1
    where a label counts), both [batch, time] or [batch].
    """
    order = rng.permutation(len(rows))
    lengths = np.array([len(rows[i].ids) for i in order])
    order = order[np.argsort(lengths, kind="stable")]
    starts = np.arange(0, len(order), batch_size)
    rng.shuffle(starts)
    for start in starts:
        chosen = [rows[i] for i in order[start : start + batch_size]]
        longest = len(chosen[-1].ids)
        width = next((width for width in widths if width >= longest), WIDTH_MULTIPLE)
        yield label_batch(chosen, batch_size, width)


def batch_widths(rows: Sequence[LabelledRow], batch_size: int, longest: int) -> list[int]:
    """The few widths of batches of such rows, in order; `longest` is one of them."""
    lengths = np.sort([len(row.ids) for row in rows])
    last = np.minimum(np.arange(0, len(lengths), batch_size) + batch_size, len(lengths)) - 1
    shapes = few_shapes(lengths[last][:, None], MOST_SHAPES - 1)
    return sorted({longest, *(width for (width,) in shapes.values())})


def label_batch(rows: Sequence[LabelledRow], batch_size: int, width: int = WIDTH_MULTIPLE) -> Batch:
    """One batch of at most `batch_size` rows, `width` or a multiple of it wide."""
    ids, lengths = pad([row.ids for row in rows], width, batch_size)
    lengths[len(rows) :] = 1  # a row without any step has no state to read a label from
    mask = np.arange(ids.shape[1]) < lengths[:, None]
    of_words = len(rows[0].labels) == len(rows[0].ids)
    targets = np.full(ids.shape if of_words else (batch_size, 1), -1, np.int32)
    for target, row in zip(targets, rows, strict=False):
        target[: len(row.labels)] = row.labels
    targets = targets if of_words else targets[:, 0]
    weights = (targets >= 0).astype(np.float32)
    return {"ids": ids, "mask": mask, "targets": np.maximum(targets, 0), "weights": weights}
