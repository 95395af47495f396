"""Going on from a preset: its weights, its vocabulary kept or grown, some of its layers frozen.

    from: lstm_tatoeba_en        a preset's name or directory (`zoo train CONFIG --from NAME`)
    data.new_words: 500          so many of the commonest words that it does not know are added
    training.freeze: [embedding] layers that keep their weights

The config's model needs only its class: what it does not say is the preset's. A new word begins as
what it was until now, `<unk>`, with a little noise, so that no two begin alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.models.keras_model import KerasModel
from zoo.models.registry import load
from zoo.text import UNK, Tokenizer, WordTokenizer
from zoo.text.vocabulary import is_storable

if TYPE_CHECKING:
    from training.config import RunConfig

NOISE = 0.1  # of a new word, in units of the matrix's standard deviation


def starting_model(config: RunConfig) -> KerasModel | None:
    """The preset's model that the run goes on from, if it does.

    Raises:
        ZooError: it is of another class than the config's.
    """
    if config.start is None:
        return None
    model = load(config.start)
    if type(model).__name__ != config.model.class_name or not isinstance(model, KerasModel):
        raise ZooError(
            f"--from {config.start}: it is a {type(model).__name__}, the config's model.class is "
            f"{config.model.class_name}; give a preset of that class"
        )
    return model


def kept_or_grown(config: RunConfig, old: Tokenizer, texts: Iterable[str]) -> WordTokenizer:
    """The preset's tokenizer, with as many new words as the config asks for."""
    wanted = config.data.new_words
    if not isinstance(old, WordTokenizer):
        raise ZooError(f"--from {config.start}: its {type(old).__name__} is not one of words")
    if not wanted:
        return old
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(old.tokenize(text))
    known = set(old.vocabulary)
    least = config.data.min_count
    new = [w for w, n in counts.items() if n >= least and w not in known and is_storable(w)]
    new.sort(key=lambda word: (-counts[word], word))
    return type(old).from_config(old.get_config(), [*old.vocabulary, *new[:wanted]])


def copy_weights(old: keras.Model, new: keras.Model, seed: int) -> None:
    """The preset's weights into the run's model.

    Raises:
        ZooError: the config's model is of another shape.
    """
    if len(old.weights) != len(new.weights):
        raise ZooError(
            f"--from: the preset has {len(old.weights)} weights, the config makes "
            f"{len(new.weights)}; leave out of model: what the preset decides"
        )
    rng = np.random.default_rng(seed)
    for source, target in zip(old.weights, new.weights, strict=True):
        values = ops.convert_to_numpy(source.value)
        target.assign(grown(values, tuple(target.shape), rng, target.path))


def grown(
    values: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator, name: str
) -> np.ndarray:
    """An array with the entries of new words along the one axis that is longer."""
    if values.shape == shape:
        return values
    longer = [k for k, (a, b) in enumerate(zip(values.shape, shape, strict=False)) if a < b]
    shorter = [k for k, (a, b) in enumerate(zip(values.shape, shape, strict=False)) if a > b]
    if values.ndim != len(shape) or len(longer) != 1 or shorter:
        raise ZooError(
            f"--from: {name} is {values.shape} in the preset, the config makes {shape}; leave out "
            "of model: what the preset decides"
        )
    (axis,) = longer
    unknown = np.take(values, [UNK], axis=axis)
    more = np.repeat(unknown, shape[axis] - values.shape[axis], axis=axis)
    noise = rng.normal(0.0, NOISE * float(values.std()), more.shape)
    return np.concatenate([values, more + noise.astype(values.dtype)], axis=axis)


def freeze(model: keras.Model, names: Sequence[str]) -> None:
    """Layers that keep their weights.

    Raises:
        ZooError: no layer has the name, or nothing is left to train.
    """
    layers: dict[str, Any] = {layer.name: layer for layer in model._flatten_layers()}
    layers.pop(model.name, None)
    for name in names:
        if name not in layers:
            known = ", ".join(key for key, layer in layers.items() if layer.weights)
            raise ZooError(f"training.freeze: no layer {name!r}; layers are {known}")
        layers[name].trainable = False
    if names and not model.trainable_weights:
        raise ZooError("training.freeze: no layer is left to train; leave one out")
