"""The gates of a model over the words of a text: what each cell lets in, keeps and shows.

The stages are those of sections 3 and 4 of the notes, by their symbols: z, r, h_tilde, h of a GRU;
i, f, o, c_tilde, c, h of an LSTM; h of a simple recurrent network.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from keras import ops

from zoo.layers.recording import recorded_calls
from zoo.layers.stages import cell_stages
from zoo.models.checks import checked_texts
from zoo.models.keras_model import KerasModel


class Gates(NamedTuple):
    """The stages of each recurrent layer over one text.

    Attributes:
        text: as it was given.
        words: as the network reads them, with the control tokens.
        layers: `[words, units]` float32 by layer and stage; h is the layer's output.
    """

    text: str
    words: list[str]
    layers: dict[str, dict[str, np.ndarray]]


class Inspected(KerasModel):
    """A model with recurrent layers; a family gives `read_text`."""

    @abstractmethod
    def read_text(self, text: str) -> list[str]:
        """Run the recurrent layers over one text, not compiled; the words that they read."""

    def gates(self, texts: Sequence[str]) -> list[Gates]:
        """Every gate, new memory and state of every recurrent layer, word by word.

        Each text is read from the initial state, without dropout. A layer that reads from the
        end has its stages in the order of the words too.

        Example:
            >>> import zoo
            >>> words = zoo.text.WordTokenizer.train(["the cat is small"])
            >>> lm = zoo.models.RecurrentLanguageModel(words, units=4, embedding_dim=4)
            >>> (gates,) = lm.gates(["the cat"])
            >>> gates.words
            ['<bos>', 'the', 'cat']
            >>> gates.layers["recurrent_0"]["f"].shape
            (3, 4)
        """
        return [self._gates_of(text) for text in checked_texts(texts)]

    def _gates_of(self, text: str) -> Gates:
        calls, words = recorded_calls(self, lambda: self.read_text(text))
        layers = {}
        for call in calls:
            stages = cell_stages(call.layer, call.inputs, call.state)
            layers[call.layer.name] = {
                name: ops.convert_to_numpy(ops.cast(stage, "float32"))[0]
                for name, stage in stages.items()
            }
        return Gates(text, words, layers)
