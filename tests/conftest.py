"""Settings of the whole suite."""

from __future__ import annotations

import tensorflow as tf

# The tests run hundreds of graphs once or twice each: optimising them takes longer than running.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
