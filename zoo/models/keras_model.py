"""What the Keras models of the zoo share: settings, compiled calls, weights in a preset.

They are Keras models to the letter: `compile`, `fit`, `evaluate` and `predict` take arrays, texts
and `tf.data`; `save`, `keras.models.load_model`, `clone_model` and checkpoints keep the tokenizer,
which is part of the config.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import ops

from zoo import layers
from zoo.models.base import PresetModel
from zoo.models.checks import checked_count
from zoo.models.compiled import CompiledMethods
from zoo.models.keras_base import KerasBase
from zoo.models.keras_training import KerasTraining
from zoo.presets import weights
from zoo.presets.origin import Origin
from zoo.text import Tokenizer, load_tokenizer, tokenizer_config, tokenizer_of
from zoo.types import Tensor


class KerasModel(CompiledMethods, KerasTraining, PresetModel, KerasBase):
    """A Keras model with a tokenizer, built from plain settings.

    A subclass's constructor sets `self.settings` (its keyword arguments, as a dataclass) and its
    layers, and ends with all weights created.

    Attributes:
        tokenizer_names: the constructor's tokenizers, which come before the settings.
    """

    tokenizer_names: ClassVar[tuple[str, ...]] = ("tokenizer",)
    settings: Any  # a frozen dataclass of the family's own
    output_projection: layers.VocabularyOutput
    mixture: layers.MixtureOfSoftmaxes | None = None  # between hidden vectors and the output

    def __init__(self, tokenizer: Tokenizer, **kwargs: Any) -> None:
        KerasBase.__init__(self, **kwargs)
        self.tokenizer = tokenizer
        self._compiled = {}

    def variables_read(self) -> list[keras.Variable]:
        return list(self.variables)

    def cross_entropy(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """-log P(target) [7] in nats, [...], of targets [...] given hidden vectors [..., width]."""
        output = self.output_projection

        def nats(vectors: Tensor, words: Tensor) -> Tensor:
            return layers.blocked_softmax_cross_entropy(vectors, output.kernel, output.bias, words)

        if self.mixture is None:
            return nats(hidden, targets)
        return self.mixture.cross_entropy(hidden, targets, nats)

    def summed_cross_entropy(self, hidden: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Weighted sum of `cross_entropy` over all tokens: the training loss, a scalar."""
        output = self.output_projection
        if self.mixture is not None:
            nats = self.cross_entropy(hidden, targets)
            return ops.sum(nats * ops.cast(weights, nats.dtype))
        return layers.blocked_softmax_loss(hidden, output.kernel, output.bias, targets, weights)

    def log_softmax(self, hidden: Tensor, kernel: Tensor | None = None) -> Tensor:
        """Natural-log probabilities [..., vocabulary] float32 of hidden vectors [..., width].

        Args:
            kernel: the output's matrix where a loop has read it before; None reads it here.

        An export whose device has better ops gives one model another `log_softmax` for a while, as
        an attribute of the instance (export/tflite/softmax.py); every distribution ends here.
        """
        if self.mixture is not None:
            return self.mixture.log_probs(hidden, self._log_softmax)
        return self._log_softmax(hidden, kernel)

    def _log_softmax(self, vectors: Tensor, kernel: Tensor | None = None) -> Tensor:
        output = self.output_projection
        logits = output(vectors) if kernel is None else output.logits(vectors, kernel)
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)

    def parameter_count(self) -> int:
        return int(sum(np.prod(w.shape, dtype=np.int64) for w in self.trainable_weights))

    def get_preset_config(self) -> dict[str, Any]:
        return asdict(self.settings)

    def get_config(self) -> dict[str, Any]:
        """Tokenizers, settings and what Keras's layers have: plain values for JSON."""
        tokenizers = {n: tokenizer_config(getattr(self, n)) for n in self.tokenizer_names}
        own = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype_policy.name}
        origin = {} if self.origin is None else {"origin": self.origin.get_config()}
        return {**tokenizers, **self.get_preset_config(), **own, **origin}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> Self:
        """The model of a `get_config`, with new weights.

        Raises:
            ZooError: the config has no tokenizer, or sizes that this machine has no memory for.
        """
        settings = dict(config)
        origin = settings.pop("origin", None)
        tokenizers = [tokenizer_of(settings.pop(name, None)) for name in cls.tokenizer_names]
        words = sum(tokenizer.vocabulary_size for tokenizer in tokenizers)
        weights.refuse_beyond_memory(settings, words)
        with dtype_policy(settings.get("dtype")):
            model = cls(*tokenizers, **settings)
        model.origin = None if origin is None else Origin.from_config(origin)
        return model

    def fingerprint(self) -> str:
        sums = 0
        for weight in self.weights:
            sums = zlib.crc32(np.ascontiguousarray(ops.convert_to_numpy(weight)).data, sums)
        return f"{sums:08x}"

    def write_assets(self, directory: Path, dtype: str) -> None:
        self.tokenizer.save(directory)
        weights.save_weights(self, directory, dtype)

    @classmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        tokenizer = load_tokenizer(directory)
        weights.check_sizes(directory, config, tokenizer.vocabulary_size)
        model = cls(tokenizer, **config)
        weights.load_weights(model, directory)
        return model


@contextmanager
def dtype_policy(name: str | None) -> Iterator[None]:
    """In here layers are made with this policy, of which a model's own layers are not told."""
    before = keras.config.dtype_policy()
    if name in (None, before.name):
        yield
        return
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def positive(name: str, value: int) -> int:
    """A size given to a constructor, checked."""
    return checked_count(name, value, 1_000_000)
