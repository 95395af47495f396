"""Settings of the whole suite."""

from __future__ import annotations

import gc
from importlib.util import find_spec

import tensorflow as tf

# The Spark job's tests need an extra and Java: `make test-spark` installs and runs them.
collect_ignore = [] if find_spec("pyspark") else ["spark"]

# The tests run hundreds of graphs once or twice each: optimising them takes longer than running.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# Traced graphs are millions of objects that stay: looking for garbage among them every 700 objects
# is a tenth of the suite's time.
gc.set_threshold(20_000, 20, 50)
