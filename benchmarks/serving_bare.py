"""A SavedModel's default signature called in this process, with no server around it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from benchmarks import serving_common

Run = Callable[[list[str]], Any]


@contextlib.contextmanager
def signature(base_path: str) -> Iterator[Run]:
    """As `tf.saved_model.load` gives it; a run ends with the values as arrays."""
    import tensorflow as tf

    function = serving_common.load(base_path)

    def run(texts: list[str]) -> Any:
        return [value.numpy() for value in function(text=tf.constant(texts)).values()]

    yield run


@contextlib.contextmanager
def session(base_path: str) -> Iterator[Run]:
    """As the model server runs it."""
    from serving.models import loader
    from serving.options import parse

    options = loader.load_options(parse([]), None)
    servable = loader.load("bare", 1, serving_common.newest(base_path), options)
    default = servable.signatures["serving_default"]
    fetches = default.fetches(default.outputs)

    def run(texts: list[str]) -> Any:
        column = np.array([text.encode() for text in texts], object)
        return servable.runner.run(default.feeds, [column], fetches)

    try:
        yield run
    finally:
        servable.close()


BARE_CALLS: dict[str, Callable[[str], AbstractContextManager[Run]]] = {
    "signature": signature,
    "session": session,
}
