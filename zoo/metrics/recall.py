"""Next-word recall at k: how often the word that came is among the k words a reader is offered."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.metrics.perplexity import valid_positions
from zoo.text.vocabulary import CONTROL_TOKENS, UNK


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

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(ops.convert_to_tensor(y_true), "int32")
        first_word = len(CONTROL_TOKENS)
        is_word = ops.greater_equal(y_true, first_word)
        valid = valid_positions(y_true, y_pred, sample_weight, None)
        asked = ops.logical_and(valid, ops.logical_or(is_word, ops.equal(y_true, UNK)))
        own = ops.take_along_axis(y_pred, ops.expand_dims(y_true, -1), axis=-1)
        offered = y_pred[..., first_word:]  # [batch, time, words]
        ids = ops.arange(first_word, first_word + offered.shape[-1], dtype="int32")
        earlier = ops.logical_and(ops.equal(offered, own), ids < ops.expand_dims(y_true, -1))
        before = ops.logical_or(ops.greater(offered, own), earlier)
        rank = ops.sum(ops.cast(before, "int32"), axis=-1)
        hit = ops.logical_and(ops.logical_and(asked, is_word), rank < self.k)
        self.hits.assign_add(ops.sum(ops.cast(hit, "int32")))
        self.asked.assign_add(ops.sum(ops.cast(asked, "int32")))

    def result(self) -> Any:
        hits, asked = ops.cast(self.hits, "float32"), ops.cast(self.asked, "float32")
        return hits / ops.maximum(asked, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}
