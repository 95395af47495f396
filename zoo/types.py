"""The types that signatures share: what a Keras backend calls a tensor, and a model's state."""

from __future__ import annotations

from typing import Any, TypeAlias

# Keras gives no type that covers a TensorFlow, JAX or PyTorch tensor, a symbolic one and an array.
Tensor: TypeAlias = Any
State: TypeAlias = tuple[Tensor, ...]
