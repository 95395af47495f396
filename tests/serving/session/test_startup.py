"""What a server imports when it starts."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import importlib.util, sys
from serving.session.startup import import_tensorflow
import_tensorflow()
import tensorflow as tf
tf.constant(1) + 1  # what it says of itself when it is first used
assert not [f for f in sys.meta_path if type(f).__module__.startswith("serving")]
print("tensorflow" in sys.modules, "jax" in sys.modules, importlib.util.find_spec("jax") is None)
"""


def test_tensorflow_is_imported_without_jax_which_can_still_be_imported():
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True", "False", "False"], done.stderr
    assert done.stderr == ""
