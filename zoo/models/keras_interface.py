"""The methods of a Keras model that a model of the zoo has, whether Keras trains it or not.

Counts and mixtures of models predict, measure, export and save as a Keras model does; what
gradients are needed for is refused in one line that names what does it instead.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

from zoo.errors import ZooError
from zoo.models import registry
from zoo.upward import call_by_name

FORMATS = {"tf_saved_model": "saved_model", "litert": "litert"}
PATH = str | os.PathLike[str]


class KerasInterface:
    """What a model without weights in Keras answers to a Keras user.

    Attributes:
        how_it_is_trained: ends the line that refuses `fit`.
    """

    how_it_is_trained: ClassVar[str] = "see its class"

    def predict(
        self, x: Sequence[str] | np.ndarray, batch_size: int | None = None, verbose: Any = "auto"
    ) -> np.ndarray:
        """Log-probabilities [texts, time, vocabulary] of the word after each: `<bos>`, w_1, ...

        Args:
            x: texts, or right-padded ids [texts, time] that start with `<bos>`.
            batch_size, verbose: as in Keras; they change nothing here.
        """
        return self.predicted(x)

    def evaluate(
        self,
        x: Sequence[str],
        batch_size: int | None = None,
        verbose: Any = "auto",
        return_dict: bool = False,
    ) -> list[float] | dict[str, float]:
        """Mean negative log-probability a token in nats, and perplexity, of texts.

        Args:
            x: texts.
            batch_size, verbose: as in Keras; they change nothing here.
            return_dict: name the figures.
        """
        figures = self.evaluated(x)
        return figures if return_dict else list(figures.values())

    def predicted(self, x: Sequence[str] | np.ndarray) -> np.ndarray:
        """`predict`, as a family has it."""
        raise ZooError(f"a {type(self).__name__} has no predict")

    def evaluated(self, texts: Sequence[str]) -> dict[str, float]:
        """`evaluate`, as a family has it."""
        raise ZooError(f"a {type(self).__name__} has no evaluate")

    def compile(self, *_: Any, **__: Any) -> None:
        """Refused: there is nothing to compile."""
        self._refuse_gradients("compile")

    def fit(self, *_: Any, **__: Any) -> Any:
        """Refused: not trained by gradients."""
        self._refuse_gradients("fit")

    def _refuse_gradients(self, method: str) -> NoReturn:
        raise ZooError(
            f"{method}: a {type(self).__name__} is not trained by gradients; "
            f"{self.how_it_is_trained}"
        )

    def save(self, filepath: PATH, overwrite: bool = True, **options: Any) -> None:
        """Write a `.keras` file, which `zoo.load` and `keras.models.load_model` read.

        `save_to_preset` writes what is known of the model beside it: data, licence, figures.
        """
        registry.save_file(self, filepath, overwrite=overwrite, **options)

    def export(self, filepath: PATH, format: str = "tf_saved_model", **options: Any) -> None:
        """Write a model that takes raw text: a SavedModel, or a `.tflite` file.

        Args:
            filepath: the SavedModel's directory (a server's `base_path` has one a version in it:
                `.../1`), or the file's name.
            format: "tf_saved_model", or "litert".
            options: for "litert", `quantize` ("none", "float16", "dynamic" or "int8").

        Raises:
            ZooError: another format, an unknown option, or a directory that holds other files.
        """
        if format not in FORMATS:
            raise ZooError(
                f"format={format!r}: a {type(self).__name__}, which takes text, is exported as "
                "'tf_saved_model' or 'litert'"
            )
        if unknown := set(options) - ({"quantize"} if format == "litert" else {"verbose"}):
            raise ZooError(f"export to {format!r} has no option {sorted(unknown)[0]!r}")
        options.pop("verbose", None)
        call_by_name(FORMATS[format], self, filepath, **options)

    def quantize(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: weights are narrowed where a model is exported or saved, not in memory."""
        raise ZooError(
            "quantize changes Keras's own layers, of which this model has few; use "
            'export(path, format="litert", quantize="int8") for a device, '
            'or save_to_preset(directory, dtype="float16") for a smaller preset'
        )
