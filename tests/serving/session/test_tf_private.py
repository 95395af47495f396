"""TensorFlow's private names: all in one file, and each still what the server takes it for."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.session import tf_private

SERVING = Path(tf_private.__file__).parents[1]
PRIVATE = re.compile(
    r"tensorflow\.(python|lite|_api)\b|\b_(extend_graph|as_tf_output|call_tf_sessionrun)\b"
)
# module, name, and the parameters that are passed by name or position
NAMES = [
    ("client.pywrap_tf_session", "TF_NewBufferFromString", None),
    ("client.session", "BaseSession._extend_graph", ["self"]),
    ("client.session", "BaseSession._call_tf_sessionrun",
     ["self", "options", "feed_dict", "fetch_list", "target_list", "run_metadata"]),
    ("framework.ops", "SymbolicTensor._as_tf_output", None),
    ("saved_model.loader_impl", "SavedModelLoader.get_meta_graph_def_from_tags", ["self", "tags"]),
    ("saved_model.loader_impl", "SavedModelLoader.load", ["self", "sess", "tags"]),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name", "parameters"), NAMES)
def test_tensorflow_still_has_what_the_server_takes_from_it(module, name, parameters):
    place = f"tensorflow.python.{module}"
    found = importlib.import_module(place)
    for part in name.split("."):
        found = getattr(found, part, None)
    remedy = f"adapt serving/session/tf_private.py to TensorFlow {tf.__version__}"
    assert found is not None, f"{place} has no {name}: {remedy}"
    if parameters is not None:
        there = list(inspect.signature(found).parameters)
        missing = [parameter for parameter in parameters if parameter not in there]
        assert not missing, f"{place}.{name} takes {there}, not {missing}: {remedy}"


def test_no_other_file_uses_private_names():
    users = {
        str(path.relative_to(SERVING))
        for path in SERVING.rglob("*.py")
        if PRIVATE.search(path.read_text(encoding="utf-8"))
    }
    assert users == {"session/tf_private.py"}


def test_a_call_without_checks_gives_what_a_session_gives():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        fetches = [(x * 2).name, (x + 1).name]
        call = tf_private.SessionCall(session, [x.name], fetches)
        values = call([np.float32([1, 2])], tf_private.run_options(timeout_in_ms=60_000))
        expected = session.run(fetches, {x: [1, 2]})
    np.testing.assert_array_equal(values, expected)
