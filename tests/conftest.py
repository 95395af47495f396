"""Settings of the whole suite."""

from __future__ import annotations

import gc
from importlib.util import find_spec

import pytest
import tensorflow as tf

# The Spark job's tests need an extra and Java: `make test-spark` installs and runs them.
collect_ignore = [] if find_spec("pyspark") else ["spark"]

# The tests run hundreds of graphs once or twice each: optimising them takes longer than running.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# Traced graphs are millions of objects that stay: looking for garbage among them every 700 objects
# is a tenth of the suite's time.
gc.set_threshold(20_000, 20, 50)

# Each takes 20 seconds or more. `make test` gives whole files to two processes: were these last,
# one process would wait for the other.
LONG_FILES = (
    "tests/test_conformance.py",
    "tests/zoo/models/seq2seq/test_seq2seq.py",
    "tests/export/saved_model/test_saved_model.py",
    "tests/zoo/models/test_language_models.py",
    "tests/training/run/test_fit.py",
    "tests/zoo/layers/test_cells.py",
    "tests/zoo/layers/recurrence/test_higher_order.py",
    "tests/export/saved_model/test_normal_forms.py",
    "tests/zoo/layers/recurrence/test_recurrence.py",
    "tests/export/saved_model/test_translation.py",
    "tests/zoo/text/test_word.py",
    "tests/zoo/cli/test_cli.py",
    "tests/zoo/text/test_normalization.py",
    "tests/zoo/layers/softmax/test_output_layers.py",
    "tests/export/tflite/test_translation.py",
    "tests/training/tasks/test_counts.py",
    "tests/serving/test_three_ways.py",
    "tests/training/experiments/test_experiments.py",
    "tests/training/diagnostics/test_gradients.py",
    "tests/export/device/test_runtime.py",
    "tests/serving/grpc_api/test_batching.py",
    "tests/serving/test_chaos.py",
    "tests/training/diagnostics/test_flow.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    places = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
