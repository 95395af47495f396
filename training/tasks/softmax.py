"""What the training loss sums over: the whole vocabulary exactly, or a sample of it.

Evaluation is exact always; these settings (`training.softmax*`) only make a step cheaper:

    softmax: exact       every word's logit, in blocks of rows                            [7][8]
    softmax: sampled     the target's and `softmax_samples` sampled words' (Jean et al. 2015)
    softmax_exact_from   the epoch from which on a sampled one is exact: the last small steps then
                         go down the very function that is measured
    softmax_dtype        bfloat16: the products over the vocabulary at half the width, twice as
                         fast on processors that have them; sums and weights stay float32
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

from zoo import layers
from zoo.types import Tensor

if TYPE_CHECKING:
    from training.config import TrainingConfig


class TrainingSoftmax(keras.layers.Layer):
    """Summed cross entropy of a batch, as a run's config wants it.

    Args:
        config: the keys that begin with `softmax` are read.
    """

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(name="training_softmax", dtype=config.softmax_dtype)
        self.samples = config.softmax_samples if config.softmax == "sampled" else None
        self.exact_from = config.softmax_exact_from
        # A layer for its seed's sake: a checkpoint then holds it.
        self.seed = keras.random.SeedGenerator() if self.samples else None
        self.built = True

    def switched(self, epoch: int) -> bool:
        """Become exact if it is time, in the epoch of this number (from 1); whether it has.

        A step that was compiled before is then out of date.
        """
        due = self.exact_from is not None and epoch >= self.exact_from
        if self.samples is None or not due:
            return False
        self.samples = None
        return True

    def summed_nats(
        self,
        output: layers.VocabularyOutput,
        hidden: Tensor,
        targets: Tensor,
        weights: Tensor,
        mixture: layers.MixtureOfSoftmaxes | None = None,
    ) -> Tensor:
        """Σ weight · (−log p(target)) in nats over hidden vectors [..., features]."""
        kernel = ops.cast(output.kernel, self.compute_dtype)
        if mixture is not None:
            nats = mixture.cross_entropy(
                hidden, targets, lambda h, words: self._nats(h, kernel, output.bias, words)
            )
            return ops.sum(nats * ops.cast(weights, nats.dtype))
        if self.samples is None:
            hidden = ops.cast(hidden, self.compute_dtype)
            return layers.blocked_softmax_loss(hidden, kernel, output.bias, targets, weights)
        return ops.sum(self._nats(hidden, kernel, output.bias, targets, weights))

    def _nats(
        self,
        hidden: Tensor,
        kernel: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """−log p(target) of each token."""
        hidden = ops.cast(hidden, self.compute_dtype)
        if self.samples is None:
            return layers.blocked_softmax_cross_entropy(hidden, kernel, bias, targets, weights)
        return layers.sampled_softmax_cross_entropy(
            hidden, kernel, bias, targets, self.samples, weights, self.seed
        )
