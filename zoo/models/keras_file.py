"""`.keras` files: of models that Keras has no weights of, and read with `zoo.load`'s care.

A Keras model of the zoo is saved and loaded by Keras itself. Counts and mixtures go into the same
file as its assets, which are those of a preset (tables, tokenizer, models); nothing in them can
run code.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import keras

from zoo.errors import ZooError
from zoo.models import registry
from zoo.models.base import PresetModel
from zoo.models.keras_interface import PATH
from zoo.models.keras_model import KerasModel
from zoo.presets import weights
from zoo.text import tokenizer_of
from zoo.types import Tensor

ENDING = ".keras"
MOST_CONFIG = 2**28  # bytes of config.json: a vocabulary of millions of words


@keras.saving.register_keras_serializable(package="zoo")
class OtherModel(keras.Model):
    """A model of the zoo that is no Keras model, as `keras.models.load_model` gives it.

    It has the methods of the model, which is its `model`.
    """

    def __init__(self, family: str, settings: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.family, self.preset_settings = family, dict(settings)
        self.held: tuple[PresetModel, ...] = ()
        self.built = True

    @classmethod
    def of(cls, model: PresetModel) -> Self:
        """What is saved in place of a model."""
        holder = cls(type(model).__name__, model.get_preset_config())
        object.__setattr__(holder, "held", (model,))
        return holder

    @property
    def model(self) -> PresetModel:
        """The model itself."""
        if not self.held:
            raise ZooError(f"this {self.family} has no tables: load it from its file")
        return self.held[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "held" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.model, name)

    def call(self, ids: Tensor) -> Any:
        """Log-probabilities [texts, time, vocabulary] of the word after each of `ids`."""
        return self.model.predict(keras.ops.convert_to_numpy(ids))

    def get_config(self) -> dict[str, Any]:
        return {"family": self.family, "settings": self.preset_settings, "name": self.name}

    def save_assets(self, directory: str) -> None:
        self.model.write_assets(Path(directory), "float32")

    def load_assets(self, directory: str) -> None:
        family = registry.model_class(self.family)
        model = family.from_assets(Path(directory), self.preset_settings)
        object.__setattr__(self, "held", (model,))

    def predict(self, *arguments: Any, **options: Any) -> Any:
        return self.model.predict(*arguments, **options)

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        return self.model.evaluate(*arguments, **options)

    def fit(self, *arguments: Any, **options: Any) -> Any:
        return self.model.fit(*arguments, **options)

    def compile(self, *arguments: Any, **options: Any) -> None:
        self.model.compile(*arguments, **options)

    def export(self, *arguments: Any, **options: Any) -> None:
        self.model.export(*arguments, **options)

    def quantize(self, *arguments: Any, **options: Any) -> None:
        self.model.quantize(*arguments, **options)


def save_other(model: Any, filepath: PATH, **options: Any) -> None:
    """Write a model that is no Keras model as a `.keras` file."""
    if Path(filepath).suffix != ENDING:
        raise ZooError(
            f"{filepath}: give a name that ends in {ENDING}, or save_to_preset(directory)"
        )
    keras.saving.save_model(OtherModel.of(model), filepath, **options)


def load_file(path: Path) -> PresetModel:
    """The model of a `.keras` file, with its sizes held against its weights first.

    Raises:
        ZooError: no such file, another kind of file, not a model of the zoo, or a damaged one.
    """
    config = file_config(path)
    name = str(config.get("registered_name", "")).removeprefix("zoo>")
    settings = config.get("config")
    if name != OtherModel.__name__:
        if name not in registry.families() or not isinstance(settings, dict):
            raise ZooError(
                f"{path} holds a {config.get('class_name')!r:.80}, which is no model of the zoo; "
                "use keras.models.load_model"
            )
        check_file(path, registry.model_class(name), settings)
    try:
        model = keras.models.load_model(path)
    except ZooError:
        raise
    except Exception as error:  # Keras answers damaged files with many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ZooError(f"{path} is damaged: {reason:.300}") from None
    return model.model if isinstance(model, OtherModel) else model


def file_config(path: Path) -> dict[str, Any]:
    """The config.json of a `.keras` file."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > MOST_CONFIG:
                raise ZooError(f"{path}: its config.json is larger than {MOST_CONFIG} bytes")
            config = json.loads(archive.read("config.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        if isinstance(error, ZooError):
            raise
        raise ZooError(f"{path} is no {ENDING} file, or damaged ({error})") from None
    if not isinstance(config, dict):
        raise ZooError(f"{path} is damaged: its config.json is no object")
    return config


def check_file(path: Path, family: type[KerasModel], settings: Mapping[str, Any]) -> None:
    """Refuse sizes that the file's weights cannot fill, before memory is taken for them."""
    names = family.tokenizer_names
    words = sum(tokenizer_of(settings.get(name) or {}).vocabulary_size for name in names)
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(weights.WEIGHTS_FILE)
            if entry.file_size > weights.MOST_UNPACKED * entry.compress_size + weights.SMALL_MODEL:
                raise ValueError(f"its weights are said to have {entry.file_size} bytes")
            content = archive.read(entry)
        shapes = weights.shapes_in(io.BytesIO(content), entry.file_size)
    except Exception as error:  # h5py and zipfile raise many types for a damaged file
        raise ZooError(f"{path} is damaged ({error}); save the model again") from None
    plain = {name: value for name, value in settings.items() if name not in names}
    weights.check_shapes(str(path), shapes, plain, words)
