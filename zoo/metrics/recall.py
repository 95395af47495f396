"""Next-word recall at k: how often the word that came is among the k words a reader is offered."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.metrics.perplexity import valid_positions
from zoo.text.vocabulary import CONTROL_TOKENS, UNK
from zoo.types import Tensor

IMPOSSIBLE_RANK = 2**31 - 1  # of a word that is never offered


def target_ranks(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """How many words are offered before each target: int32, the shape of `y_true`.

    Equal words are offered in the vocabulary's order, control tokens and what has a score of -inf
    not at all.

    Args:
        y_true: [...] integers.
        y_pred: [..., vocabulary].
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.expand_dims(ops.cast(ops.convert_to_tensor(y_true), "int32"), -1)
    first_word = len(CONTROL_TOKENS)
    own = ops.take_along_axis(y_pred, y_true, axis=-1)  # [..., 1]
    offered = y_pred[..., first_word:]  # [..., words]
    ids = ops.arange(first_word, first_word + offered.shape[-1], dtype="int32")
    earlier = ops.logical_and(ops.equal(offered, own), ids < y_true)
    before = ops.logical_or(ops.greater(offered, own), earlier)
    impossible = ops.equal(ops.cast(own[..., 0], "float32"), -float("inf"))
    return ops.where(impossible, IMPOSSIBLE_RANK, ops.sum(ops.cast(before, "int32"), axis=-1))


@keras.saving.register_keras_serializable(package="zoo")
class NextWordRecall(keras.metrics.Metric):
    """Share of next words among the k likeliest that are offered.

    Control tokens and `<unk>` are never offered, so an unknown word counts as a miss; padding,
    `<bos>` and `<eos>` are not asked for. Equal words are offered in the vocabulary's order.

    Args:
        k: how many words are offered, at least 1.

    `update_state` takes targets [batch, time] integers, predictions [batch, time, vocabulary]
    (logits, log-probabilities or probabilities: only their order matters) and optional weights
    [batch] or [batch, time], where zero leaves a position out.

    Raises:
        ZooError: k is not a positive whole number.

    Example:
        >>> metric = NextWordRecall(k=1)
        >>> metric.update_state([[4, 5]], [[[9, 0, 0, 0, 2, 1], [9, 0, 0, 0, 2, 1]]])
        >>> float(metric.result()), int(metric.asked)
        (0.5, 2)
    """

    def __init__(self, k: int = 1, name: str | None = None, dtype: Any = None) -> None:
        if not isinstance(k, int) or k < 1:
            raise ZooError(f"k={k!r}: give a whole number of at least 1")
        super().__init__(name=name or f"recall_at_{k}", dtype=dtype)
        self.k = k
        self.hits = self.add_variable((), initializer="zeros", dtype="int32", name="hits")
        self.asked = self.add_variable((), initializer="zeros", dtype="int32", name="asked")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        y_true = ops.cast(ops.convert_to_tensor(y_true), "int32")
        valid = valid_positions(y_true, y_pred, sample_weight, None)
        self.update_ranks(y_true, target_ranks(y_true, y_pred), valid)

    def update_ranks(
        self, y_true: Tensor, ranks: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """`update_state` where `target_ranks`, or a list of offered words, is there already."""
        y_true = ops.cast(ops.convert_to_tensor(y_true), "int32")
        is_word = ops.greater_equal(y_true, len(CONTROL_TOKENS))
        valid = valid_positions(y_true, None, sample_weight, None)
        asked = ops.logical_and(valid, ops.logical_or(is_word, ops.equal(y_true, UNK)))
        offered = ops.less(ops.convert_to_tensor(ranks), self.k)
        hit = ops.logical_and(ops.logical_and(asked, is_word), offered)
        self.hits.assign_add(ops.sum(ops.cast(hit, "int32")))
        self.asked.assign_add(ops.sum(ops.cast(asked, "int32")))

    def result(self) -> Any:
        hits, asked = ops.cast(self.hits, "float32"), ops.cast(self.asked, "float32")
        return hits / ops.maximum(asked, 1.0)

    def share(self) -> float:
        """`result` in full precision."""
        return int(self.hits) / max(int(self.asked), 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}
