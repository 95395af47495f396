"""The types that signatures share: tensors, states, shapes, and what Keras makes objects from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

# Keras gives no type that covers a TensorFlow, JAX or PyTorch tensor, a symbolic one and an array.
Tensor: TypeAlias = Any
State: TypeAlias = tuple[Tensor, ...]  # of a cell
ModelState: TypeAlias = dict[str, Any]  # of a whole model: tensors by name
# Tensors in tuples, lists, dictionaries and NamedTuples, as `keras.tree` walks them.
Nest: TypeAlias = Any
Shape: TypeAlias = tuple[Any, ...]  # each an int, or None for an axis of unknown length

# A name, a config as `serialize` gives it, or the object itself.
ActivationLike: TypeAlias = str | dict[str, Any] | Callable[[Tensor], Tensor] | None
InitializerLike: TypeAlias = str | dict[str, Any] | Callable[..., Tensor]
RegularizerLike: TypeAlias = str | dict[str, Any] | Callable[[Tensor], Tensor] | None
ConstraintLike: TypeAlias = str | dict[str, Any] | Callable[[Tensor], Tensor] | None
