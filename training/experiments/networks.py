"""The small networks of the experiments: one recurrent layer under a linear read-out."""

from __future__ import annotations

from typing import Any

import keras

from training.experiments.config import ExperimentConfig, Network
from training.run.optimizers import OnePassAdam
from zoo import layers
from zoo.types import Tensor

BIDIRECTIONAL = "bidirectional "
WINDOW, COUNTS = "nplm", "counts"  # Bengio's network, n-grams: beside the cells


def story_network(
    config: ExperimentConfig, network: Network, length: int, words: int, outputs: int
) -> Any:
    """Word vectors, the cell over all words before the blank, a score for each possible answer.

    A bidirectional network has two inputs: the words before the blank, and those after it, which
    its second layer reads from the end [17]-[19]. Bengio's reads the last words of a window [4].
    """
    vectors = keras.layers.Embedding(words, config.units, name="embedding")
    before = keras.Input((length,), dtype="int32")
    inputs: Any = before
    cell = network.cell.removeprefix(BIDIRECTIONAL)
    if cell == WINDOW:
        read = _window(config, network, vectors(before))
    else:
        read = _layer(cell, config, network, "forward")(vectors(before))  # [batch, units]
    if network.cell.startswith(BIDIRECTIONAL):
        after = keras.Input((None,), dtype="int32")
        future = _layer(cell, config, network, "backward", go_backwards=True)(vectors(after))
        inputs, read = [before, after], keras.layers.Concatenate()([read, future])
    model = keras.Model(inputs, keras.layers.Dense(outputs)(read))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return _compiled(model, config, network, loss)


def _window(config: ExperimentConfig, network: Network, vectors: Tensor) -> Tensor:
    """[tanh(W^(1) x + b^(1)); x] of the last words' vectors x: W^(2) and W^(3) read both."""
    x = keras.layers.Flatten()(vectors[:, -network.options["window"] :])
    hidden = keras.layers.Dense(config.units, activation="tanh", name="hidden")(x)
    return keras.layers.Concatenate()([hidden, x])


def adding_network(config: ExperimentConfig, network: Network) -> Any:
    """The cell over all pairs, a sum out of its last state."""
    pairs = keras.Input((config.length, 2))
    read = _layer(network.cell, config, network, "forward")(pairs)
    model = keras.Model(pairs, keras.layers.Dense(1)(read))
    return _compiled(model, config, network, keras.losses.MeanSquaredError())


def _layer(
    cell: str, config: ExperimentConfig, network: Network, name: str, **more: Any
) -> layers.Recurrent:
    return layers.make_recurrent(cell, config.units, name=name, **network.options, **more)


def _compiled(model: Any, config: ExperimentConfig, network: Network, loss: Any) -> Any:
    optimizer = OnePassAdam(
        network.learning_rate or config.learning_rate,
        global_clipnorm=network.clip_norm or config.clip_norm,
    )
    model.compile(optimizer=optimizer, loss=loss)
    return model
