"""`compile`, `fit`, `evaluate` and `predict` of the Keras models of the zoo, on texts too."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.metrics import Perplexity
from zoo.models.keras_interface import PATH, KerasInterface
from zoo.models.text_batches import (
    Batch,
    Data,
    Example,
    Texts,
    all_texts,
    is_text_dataset,
    prepared,
)

AUTO = "auto"


class KerasTraining(KerasInterface):
    """Keras's methods with texts among what they take; a family says what an example is."""

    compiled: bool

    @abstractmethod
    def example(self, text: str, target: Any = None) -> Example:
        """A text, and the target that belongs to it, as rows of ids."""

    @abstractmethod
    def collate(self, examples: Sequence[Example], rng: np.random.Generator | None = None) -> Batch:
        """A padded batch: inputs as `call` takes them, targets, and the targets' weights.

        Args:
            examples: from `example`.
            rng: decides what is drawn at random, where a family's training hides words.
        """

    def compile(
        self,
        optimizer: Any = AUTO,
        loss: Any = AUTO,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = AUTO,
        jit_compile: bool | str = AUTO,
        **options: Any,
    ) -> None:
        """As in Keras, with defaults that suit: Adam, cross entropy [7], perplexity [9].

        Args:
            optimizer: "auto" is `keras.optimizers.Adam(1e-3)`.
            loss: "auto" is the mean cross entropy of the tokens that count, in nats.
            weighted_metrics: "auto" is `zoo.metrics.Perplexity`, of labels their accuracy.
            jit_compile: "auto" leaves XLA out on TensorFlow, where it would compile the step anew
                for each width of texts; the layers have their own (`zoo.layers.Recurrent`).
            loss_weights, metrics, options: as in `keras.Model.compile`.
        """
        if optimizer == AUTO:
            optimizer = keras.optimizers.Adam(1e-3)
        if loss == AUTO:
            loss = keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            )
        if isinstance(weighted_metrics, str) and weighted_metrics == AUTO:
            weighted_metrics = self.default_metrics()
        if jit_compile == AUTO and keras.backend.backend() == "tensorflow":
            jit_compile = False
        keras.Model.compile(
            self,
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            jit_compile=jit_compile,
            **options,
        )

    def default_metrics(self) -> list[Any]:
        """What `weighted_metrics="auto"` measures."""
        return [Perplexity(from_logits=True)]

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """What `keras.models.load_model` calls: the same optimizer, with room for its state."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]

    def fit(
        self,
        x: Data = None,
        y: Data = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = AUTO,
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Data = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Data = None,
        **options: Any,
    ) -> Any:
        """As in Keras; `x` may be texts, or a `tf.data` data set of batches of texts.

        Args:
            x: texts (translation: sources), or arrays as `call` takes them.
            y: what a family trains towards beside its texts (translation: targets); with arrays
                the ids to predict.
            sample_weight: one a text; with arrays as in Keras.
            validation_data: texts, or a pair of sources and targets, or as in Keras.
            batch_size, epochs, ...: as in `keras.Model.fit`. Texts of like length are batched
                together, in another order each epoch.

        Returns:
            Keras's History.

        Example:
            >>> import zoo
            >>> texts = ["the cat is small", "the dog is big"]
            >>> words = zoo.text.WordTokenizer.train(texts)
            >>> lm = zoo.models.NeuralProbabilisticLanguageModel(words, window=2, units=4)
            >>> history = lm.fit(texts, epochs=2, verbose=0)
            >>> sorted(history.history)
            ['loss', 'perplexity']
        """
        self._compile_if_needed()
        given = Texts.of(x, y, sample_weight)
        if given is not None and validation_split and validation_data is None:
            (x, validation_data), y, sample_weight = given.split(validation_split), None, None
        size = options.get("validation_batch_size") or batch_size
        data = prepared(self, x, y, sample_weight, batch_size, shuffle, training=True)
        if data is not None:
            x, y, sample_weight, batch_size, validation_split = data, None, None, None, 0.0
            shuffle = False  # they come in another order each epoch
        validation = self._validation(validation_data, size)
        if validation is not validation_data:
            options.pop("validation_batch_size", None)
        return keras.Model.fit(
            self, x, y, batch_size, epochs, verbose, callbacks, validation_split, validation,
            shuffle, class_weight, sample_weight, **options,
        )  # fmt: skip

    def _validation(self, data: Data, batch_size: int | None) -> Data:
        """Validation data as Keras takes them: texts as batches of ids."""
        if data is None:
            return None
        texts = None if is_text_dataset(data) else all_texts(data)
        given = prepared(self, data if texts is None else texts, batch_size=batch_size)
        return data if given is None else given

    def evaluate(  # type: ignore[override]  # in Keras's order, as its own `fit` calls it
        self,
        x: Data = None,
        y: Data = None,
        batch_size: int | None = None,
        verbose: Any = AUTO,
        sample_weight: Data = None,
        **options: Any,
    ) -> Any:
        """As in Keras, on texts too: their perplexity is the one that `score` gives.

        Args:
            x, y, sample_weight: as in `fit`.
            batch_size, verbose, options: as in `keras.Model.evaluate`.

        Returns:
            Loss and metrics, a list, or with `return_dict=True` by name.
        """
        self._compile_if_needed()
        data = prepared(self, x, y, sample_weight, batch_size)
        if data is not None:
            x, y, sample_weight, batch_size = data, None, None, None
        return keras.Model.evaluate(self, x, y, batch_size, verbose, sample_weight, **options)

    def predict(
        self, x: Data, batch_size: int | None = None, verbose: Any = AUTO, **options: Any
    ) -> Any:
        """As in Keras: logits [texts, time, vocabulary], of texts too.

        Args:
            x: arrays as `call` takes them, texts (translation: sources and targets), or a data
                set of batches of texts. The rows of texts are padded to the longest.
            batch_size, verbose, options: as in `keras.Model.predict`.
        """
        given = all_texts(x)
        if given is not None:
            x, _, _ = self.collate(given.examples(self))
        return keras.Model.predict(self, x, batch_size, verbose, **options)

    def _compile_if_needed(self) -> None:
        if not self.compiled:
            self.compile()

    def save(self, filepath: PATH, overwrite: bool = True, **options: Any) -> None:
        """As in Keras: a `.keras` file, which `keras.models.load_model` and `zoo.load` read."""
        keras.Model.save(self, filepath, overwrite=overwrite, **options)

    def export(self, filepath: PATH, format: str = "tf_saved_model", **options: Any) -> None:
        """A model that takes raw text: a SavedModel, or a `.tflite` file of built-in operations.

        Args:
            filepath: the SavedModel's directory (a server's `base_path` has one a version in it:
                `.../1`), or the file's name.
            format: "tf_saved_model", or "litert".
            options: for "litert", `quantize` ("none", "float16", "dynamic" or "int8"). With
                `input_signature` it is Keras's own export, of ids to logits.
        """
        if options.get("input_signature") is not None:
            keras.Model.export(self, filepath, format=format, **options)
            return
        super().export(filepath, format, **options)


def refuse_targets(model: object, target: Any) -> None:
    """A family whose targets are its texts is given no others."""
    if target is not None:
        raise ZooError(f"y with texts: a {type(model).__name__} learns from the texts alone")
