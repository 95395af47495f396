"""The bidirectional recurrent network of section 2.3.

    h→_t = f(W→ x_t + V→ h→_{t−1} + b→)                                              [17]
    h←_t = f(W← x_t + V← h←_{t+1} + b←)                                              [18]
    ŷ_t  = g(U [h→_t ; h←_t] + c)                                                    [19]

f is any recurrent layer; this file gives [h→_t ; h←_t] (or their sum, mean or product), the output
layer of [19] is the model's. Deep bidirectional networks [20]–[22] stack it: each layer gets both
directions of the layer below.
"""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable(package="zoo")
class Bidirectional(keras.layers.Bidirectional):
    """Drop-in for `keras.layers.Bidirectional` around any recurrent layer, equations [17]–[18].

    Args:
        layer: the forward layer; the backward one is a copy of it that runs the other way.
        merge_mode: "concat" as in [19], "sum", "mul", "ave" or None (both, unmerged).
        weights, backward_layer: as in Keras.

    Right padding is masked in both directions: the backward layer starts at each row's last
    unmasked step, with its initial state.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import GRU
        >>> layer = Bidirectional(GRU(4, return_sequences=True))
        >>> layer(np.zeros((2, 3, 5), "float32")).shape
        TensorShape([2, 3, 8])
    """
