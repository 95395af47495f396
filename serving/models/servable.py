"""A loaded version, whatever file it came from, and how versions are loaded."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from tensorflow.core.protobuf import config_pb2

from serving.codec.tensors import Fetched
from serving.models.caps import Caps
from serving.models.signatures import Signature
from serving.session.runner import GraphRunner


class Runner(Protocol):
    """What runs a signature: a TensorFlow session or TFLite interpreters."""

    def run(
        self,
        feeds: tuple[str, ...],
        arrays: Sequence[np.ndarray],
        fetches: tuple[str, ...],
        deadline: float | None = None,
    ) -> Sequence[Fetched]: ...

    def retire(self) -> None: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class Servable:
    """A loaded version: its signatures and what runs them."""

    name: str
    version: int
    signatures: Mapping[str, Signature]
    runner: Runner
    # Whether its REST answers hold no NaN and no Infinity, whatever the flag says.
    strict_json: bool = False
    caps: Caps = field(default_factory=Caps)

    @property
    def batches(self) -> bool:
        """Whether requests may wait to share a run."""
        return isinstance(self.runner, GraphRunner) and self.runner.limits is not None

    def close(self) -> None:
        """Free the model's memory; no request may be running."""
        self.runner.close()
        gc.collect()


@dataclass(frozen=True)
class LoadOptions:
    """How to load versions; the same for all models of a server."""

    tags: tuple[str, ...]
    session: config_pb2.ConfigProto
    batching: Any | None  # BatchingParameters, a class made at run time
    per_model_batching: bool
    caps: Caps
    prefer_tflite: bool
    tflite_interpreters: int
