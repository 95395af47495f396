"""`keras.Model` as a base class that type checkers can read.

Keras has no types: below it everything would be allowed, and a misspelt method of a model found
only when it runs. For a type checker the base is what is written here, which users of a model
call; for Python it is `keras.Model` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from zoo.types import Nest, Tensor

if TYPE_CHECKING:

    class KerasBase:
        """The members of `keras.Model`."""

        name: str
        built: bool
        trainable: bool
        compiled: bool
        stop_training: bool
        supports_jit: bool
        dtype: str
        compute_dtype: str
        variable_dtype: str
        dtype_policy: Any
        optimizer: Any
        loss: Any
        losses: list[Tensor]
        layers: list[Any]
        metrics: list[Any]
        metrics_names: list[str]
        variables: list[keras.Variable]
        weights: list[keras.Variable]
        trainable_variables: list[keras.Variable]
        trainable_weights: list[keras.Variable]
        non_trainable_variables: list[keras.Variable]
        non_trainable_weights: list[keras.Variable]

        def __init__(self, **kwargs: Any) -> None: ...

        def __call__(self, *arguments: Any, **options: Any) -> Any: ...

        def add_weight(self, *arguments: Any, **options: Any) -> Any: ...

        def build(self, *arguments: Any, **options: Any) -> None: ...

        def compute_loss(self, *arguments: Any, **options: Any) -> Tensor: ...

        def count_params(self) -> int: ...

        def get_layer(self, name: str | None = None, index: int | None = None) -> Any: ...

        def get_metrics_result(self) -> dict[str, Any]: ...

        def get_weights(self) -> list[Any]: ...

        def load_weights(self, filepath: Any, **options: Any) -> None: ...

        def predict_on_batch(self, x: Nest) -> Nest: ...

        def reset_metrics(self) -> None: ...

        def save_weights(self, filepath: Any, overwrite: bool = True, **options: Any) -> None: ...

        def set_weights(self, weights: list[Any]) -> None: ...

        def summary(self, *arguments: Any, **options: Any) -> None: ...

        def test_on_batch(self, *arguments: Any, **options: Any) -> Any: ...

        def to_json(self, **options: Any) -> str: ...

        def train_on_batch(self, *arguments: Any, **options: Any) -> Any: ...

else:
    KerasBase = keras.Model
