"""Which models get one thread a run, and how many batches then run side by side."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from serving.models import loader
from serving.options import parse
from serving.session import parallelism
from serving.session.tf_private import SavedModelLoader


def save(path, function) -> str:
    module = tf.Module()
    module.function = tf.function(
        function, input_signature=[tf.TensorSpec((None, 4, 4, 1), name="x")]
    )
    tf.saved_model.save(module, str(path), signatures=module.function)
    return str(path)


def looped(x):
    return {"y": tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2), (0, x))[1]}


def straight(x):
    return {"y": x * 2}


def looped_convolution(x):
    kernel = tf.ones((1, 1, 1, 1))
    return looped(tf.nn.conv2d(x, kernel, 1, "SAME"))


def threads(path: str, *flags: str) -> int:
    options = loader.load_options(parse(list(flags)), None)
    meta_graph = SavedModelLoader(path).get_meta_graph_def_from_tags(["serve"])
    config = parallelism.session_config(options.session, meta_graph, path)
    return config.intra_op_parallelism_threads


@pytest.mark.parametrize(
    ("function", "expected"), [(looped, 1), (straight, 0), (looped_convolution, 0)]
)
def test_only_loops_without_convolutions_get_one_thread(tmp_path, function, expected):
    assert threads(save(tmp_path / "1", function)) == expected


def test_a_large_model_keeps_all_cores(tmp_path, monkeypatch):
    path = save(tmp_path / "1", looped)
    monkeypatch.setattr(parallelism, "LARGEST_BYTES", 10)
    assert threads(path) == 0


def test_a_flag_decides_for_every_model(tmp_path):
    path = save(tmp_path / "1", looped)
    assert threads(path, "--tensorflow_intra_op_parallelism=3") == 3
    assert threads(path, "--tensorflow_session_parallelism=2") == 2


def test_as_many_parallel_batches_as_fill_the_cores(monkeypatch):
    monkeypatch.setattr(parallelism, "usable_cores", lambda: 6)
    counts = {n: parallelism.parallel_batches(
        config_pb2.ConfigProto(intra_op_parallelism_threads=n))
              for n in (0, 1, 2, 4, 8)}  # fmt: skip
    assert counts == {0: 1, 1: 6, 2: 3, 4: 1, 8: 1}


def test_a_loaded_model_knows_how_many_batches_run_side_by_side(tmp_path, monkeypatch):
    monkeypatch.setattr(parallelism, "usable_cores", lambda: 2)
    flags = parse(["--enable_batching"])
    options = loader.load_options(flags, loader.with_batching_defaults(batching(threads=8)))
    for function, expected in ((looped, 2), (straight, 1)):
        servable = loader.load("m", 1, save(tmp_path / function.__name__, function), options)
        assert servable.runner.limits.parallel_batches == expected
        servable.close()


def batching(threads: int):
    parameters = loader.protos.BatchingParameters()
    parameters.num_batch_threads.value = threads
    return parameters
