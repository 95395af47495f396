"""What every model of the zoo shares: presets in and out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np

from zoo.errors import ZooError
from zoo.presets import store, training_text
from zoo.presets.store import PresetConfig, PresetInfo

Model = TypeVar("Model", bound="PresetModel")
Kind = Literal["sentences", "pairs", "tagged", "labelled"]


def model_family(cls: type[Model]) -> type[Model]:
    """Declare a class that presets may name; `zoo.models.registry` finds it by this line."""
    return cls


class PresetModel(ABC):
    """`from_preset` and `save_to_preset` for a class that names its files and its constructor.

    A subclass gives `get_preset_config()` (the constructor's plain arguments), `write_assets`
    (tokenizer, weights, tables) and `from_assets` (the reverse).

    Attributes:
        reads: what it is trained and tested on: sentences, pairs of a sentence and its
            translation, sentences with a label for each word, or texts with one label.
        training_text: a sample of the hashes of what it was trained on, if that was kept
            (`zoo.presets.training_text`).
    """

    reads: ClassVar[Kind] = "sentences"
    training_text: np.ndarray | None = None

    @abstractmethod
    def get_preset_config(self) -> dict[str, Any]:
        """The constructor's plain arguments."""

    @abstractmethod
    def write_assets(self, directory: Path, dtype: str) -> None:
        """Write tokenizer, weights and tables."""

    @classmethod
    @abstractmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        """The model of what `write_assets` wrote and `get_preset_config` gave."""

    @abstractmethod
    def parameter_count(self) -> int:
        """Number of trained values, as `zoo list` shows it."""

    def save_to_preset(
        self,
        directory: str | os.PathLike[str],
        *,
        info: dict[str, Any] | None = None,
        card: str | None = None,
        dtype: str = "float32",
    ) -> Path:
        """Write the model as a preset directory, atomically.

        Args:
            directory: where to write; an old preset there is replaced as a whole.
            info: entries of `zoo.list_presets` (description, data, licence, metrics, ...).
            card: Markdown text of the model card.
            dtype: "float32", or "float16" for half the size.

        Returns:
            The directory's path.
        """
        facts = PresetInfo(**{"parameters": self.parameter_count(), **(info or {})})
        preset = PresetConfig(type(self).__name__, self.get_preset_config(), facts)
        return store.write_preset(directory, preset, self._file_writer(card, facts, dtype))

    def _file_writer(
        self, card: str | None, facts: PresetInfo, dtype: str
    ) -> Callable[[Path], None]:
        def write(directory: Path) -> None:
            self.write_assets(directory, dtype)
            if self.training_text is not None:
                training_text.write(directory, self.training_text)
            text = card or f"# {type(self).__name__}\n\n{facts.description}\n"
            (directory / store.CARD_FILE).write_text(text, encoding="utf-8")

        return write

    @classmethod
    def from_preset(cls, name_or_directory: str | os.PathLike[str]) -> Self:
        """Load a model of this class; `zoo.load` picks the class by itself.

        Raises:
            ZooError: the directory is missing, damaged, or holds another class's model.
        """
        directory = store.resolve(name_or_directory)
        return cls.from_config_and_assets(directory, store.read_config(directory))

    @classmethod
    def from_config_and_assets(cls, directory: Path, preset: PresetConfig) -> Self:
        """`from_preset` where config.json is read already."""
        if preset.class_name != cls.__name__:
            raise ZooError(
                f"{directory} holds a {preset.class_name}, not a {cls.__name__}; use zoo.load"
            )
        store.check_files(directory, preset)
        try:
            model = cls.from_assets(directory, preset.config)
            model.training_text = training_text.read(directory)
            return model
        except ZooError as error:
            if str(directory) in str(error):
                raise
            raise ZooError(f"{directory}: {error}") from None
        except Exception as error:  # Keras answers impossible arguments with many kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ZooError(
                f"{directory}/config.json does not fit {cls.__name__}: {reason:.300}"
            ) from None
