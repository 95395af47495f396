"""What every model of the zoo shares: presets in and out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np

from zoo.errors import ZooError
from zoo.models.keras_interface import KerasInterface
from zoo.models.results import html_table
from zoo.presets import store, training_text
from zoo.presets.origin import Origin, described
from zoo.presets.store import PresetConfig, PresetInfo

Model = TypeVar("Model", bound="PresetModel")
Kind = Literal["sentences", "pairs", "tagged", "labelled"]


def model_family(cls: type[Model]) -> type[Model]:
    """Declare a class that presets may name; `zoo.models.registry` finds it by this line."""
    return cls


class PresetModel(KerasInterface, ABC):
    """`from_preset` and `save_to_preset` for a class that names its files and its constructor.

    A subclass gives `get_preset_config()` (the constructor's plain arguments), `write_assets`
    (tokenizer, weights, tables) and `from_assets` (the reverse).

    Attributes:
        reads: what it is trained and tested on: sentences, pairs of a sentence and its
            translation, sentences with a label for each word, or texts with one label.
        training_text: a sample of the hashes of what it was trained on, if that was kept
            (`zoo.presets.training_text`).
        origin: the preset that it was loaded from, if any.
    """

    reads: ClassVar[Kind] = "sentences"
    training_text: np.ndarray | None = None
    origin: Origin | None = None

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

        A model that was loaded from a preset keeps its description, data, licence and card, and
        says what it was made from; where its weights were changed since, each figure is kept under
        a name that says whose it is.

        Args:
            directory: where to write; an old preset there is replaced as a whole.
            info: entries of `zoo.list_presets` (description, data, licence, metrics, ...).
            card: Markdown text of the model card.
            dtype: "float32", or "float16" for half the size.

        Returns:
            The directory's path.
        """
        fingerprint = self.fingerprint()
        facts = described(self.origin, info, self.parameter_count(), fingerprint)
        preset = PresetConfig(type(self).__name__, self.get_preset_config(), facts)
        if card is None and self.origin is not None and self.origin.card:
            card = self.origin.inherited_card(Path(directory).name, fingerprint)
        return store.write_preset(directory, preset, self._file_writer(card, facts, dtype))

    def fingerprint(self) -> str:
        """Tells changed weights from those that were loaded; empty where nothing changes."""
        return ""

    def _repr_html_(self) -> str:
        """What a notebook shows: the class, its size, its settings, where it is from."""
        settings = {k: v for k, v in self.get_preset_config().items() if v not in (None, {}, [])}
        rows = [("parameters", f"{self.parameter_count():,}"), *settings.items()]
        if self.origin is not None:
            info = self.origin.info
            rows += [("loaded from", self.origin.title), ("description", info.description)]
            rows += [("data", info.data), ("licence", info.licence), *info.metrics.items()]
        return html_table([type(self).__name__, ""], rows)

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
            own = ", ".join(store.presets_of(cls.__name__)) or "no shipped preset"
            raise ZooError(
                f"{directory} holds a {preset.class_name}, not a {cls.__name__}; use zoo.load "
                f"({own}: a {cls.__name__})"
            )
        store.check_files(directory, preset)
        try:
            model = cls.from_assets(directory, preset.config)
            model.training_text = training_text.read(directory)
        except ZooError as error:
            if str(directory) in str(error):
                raise
            raise ZooError(f"{directory}: {error}") from None
        except Exception as error:  # Keras answers impossible arguments with many kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ZooError(
                f"{directory}/config.json does not fit {cls.__name__}: {reason:.300}"
            ) from None
        model.origin = Origin.of(directory, preset, model.fingerprint())
        return model
