"""Every private name of TensorFlow that the server uses, here and nowhere else.

TensorFlow's public interface has no session call with options of its own and without the checks of
feeds and fetches (they take more time than a very small model), and no loader that shows a
SavedModel's graph before it restores it. A test names them all, so that a TensorFlow that changes
one is found by that test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.saved_model import loader_impl

from serving.codec.tensors import Fetched

SavedModelLoader = loader_impl.SavedModelLoader


def run_options(**options: Any) -> Any:
    """RunOptions as a `SessionCall` takes them; never freed, so for constants."""
    serialized = config_pb2.RunOptions(**options).SerializeToString()
    return pywrap_tf_session.TF_NewBufferFromString(serialized)


class SessionCall:
    """Runs one set of feeds and fetches of a session, without the checks of `Session.run`."""

    def __init__(
        self, session: tf.compat.v1.Session, feeds: Sequence[str], fetches: Sequence[str]
    ) -> None:
        session._extend_graph()  # with what was added to the graph since the last run
        tensor = session.graph.get_tensor_by_name
        self._session = session
        self._feeds = [tensor(name)._as_tf_output() for name in feeds]
        self._fetches = [tensor(name)._as_tf_output() for name in fetches]

    def __call__(self, arrays: Sequence[np.ndarray], options: Any) -> list[Fetched]:
        """The values of the fetches, in their order."""
        feed = dict(zip(self._feeds, arrays, strict=True))
        values: list[Fetched] = self._session._call_tf_sessionrun(
            options, feed, self._fetches, [], None
        )
        return values
