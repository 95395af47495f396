"""A recurrent language model of the zoo rebuilt of stock Keras layers, for comparisons.

The same weights in `keras.layers.Embedding`, `SimpleRNN`, `GRU`, `LSTM` and `Dense`. Keras has no
coupled gates and no projection, so for a CIFG its own `keras.layers.RNN` gets a cell with them.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

STOCK = {
    "rnn": keras.layers.SimpleRNN,
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
}


class CIFGCell(keras.layers.Layer):
    """Coupled gates and projection as a cell of `keras.layers.RNN`; weights as `zoo.layers.CIFG`.

    Args:
        layer: the built zoo layer to copy.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.shapes = [tuple(weight.shape) for weight in layer.get_weights()]
        self.state_size = layer.state_size
        self.output_size = layer.output_size

    def build(self, _: Any) -> None:
        self.matrices = [
            self.add_weight(shape=shape, name=f"weight_{i}") for i, shape in enumerate(self.shapes)
        ]

    def call(self, x: Any, states: Any) -> tuple[Any, list[Any]]:
        h, c = states
        kernel, recurrent, bias, *projection = self.matrices
        gates = ops.matmul(x, kernel) + ops.matmul(h, recurrent) + bias
        f, memory, o = ops.split(gates, 3, axis=1)
        f = ops.sigmoid(f)
        c = f * c + (1 - f) * ops.tanh(memory)
        h = ops.sigmoid(o) * ops.tanh(c)
        h = ops.matmul(h, projection[0]) if projection else h
        return h, [h, c]


def stock_model(model: Any, words: int) -> keras.Model:
    """Ids [1, words] to the next word's probabilities [1, vocabulary].

    Args:
        model: a `zoo.models.RecurrentLanguageModel`.
        words: length of the context.
    """
    settings, embedding = model.settings, model.embedding.embeddings
    ids = keras.Input((words,), batch_size=1, dtype="int32")
    embed = keras.layers.Embedding(*embedding.shape)
    x = embed(ids)
    copies: list[tuple[Any, Any]] = [(embed, [embedding])]
    for i, layer in enumerate(model.recurrent_layers):
        whole = i < len(model.recurrent_layers) - 1
        if settings.cell == "cifg":
            stock = keras.layers.RNN(CIFGCell(layer), return_sequences=whole)
        else:
            given = {k: v for k, v in settings.cell_options.items() if k != "learn_initial_state"}
            stock = STOCK[settings.cell](layer.units, return_sequences=whole, **given)
        x = stock(x)
        copies.append((stock, layer.get_weights()))
    output = model.output_projection
    dense = keras.layers.Dense(output.vocabulary_size, activation="softmax")
    answer = dense(x)
    copies.append((dense, [output.kernel, output.bias]))
    for stock, values in copies:
        stock.set_weights([ops.convert_to_numpy(value) for value in values])
    return keras.Model(ids, answer)
