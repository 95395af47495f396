"""What the softmaxes share: the precision of their sums, and the entries of the target words."""

from __future__ import annotations

import keras
from keras import ops

from zoo.types import Tensor


def wide_dtype(dtype: str | Tensor) -> str:
    """The type that a softmax is taken in: float32 for float16 and bfloat16 too."""
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


def pick(values: Tensor, ids: Tensor) -> Tensor:
    """The entry of each row's word: `[..., vocabulary], [...] -> [...]`."""
    picked = ops.take_along_axis(values, ops.expand_dims(ids, -1), axis=-1)
    return ops.squeeze(picked, -1)
